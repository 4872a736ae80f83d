//! Query parameters that a subscription adds to its URL.

use std::collections::BTreeMap;

use super::EndpointUrl;

/// Fixed query parameters of each request, sorted by name. They are not secret: requests are shown
/// with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryParameters(BTreeMap<String, String>);

impl QueryParameters {
    /// The largest number of parameters.
    pub const MAX_COUNT: usize = 5;
    /// The longest name, in bytes.
    pub const MAX_NAME_BYTES: usize = 64;
    /// The longest value, in bytes.
    pub const MAX_VALUE_BYTES: usize = 256;

    /// Checks parameters.
    ///
    /// # Errors
    /// If a limit is exceeded, or a text has a control character.
    pub fn new(parameters: BTreeMap<String, String>) -> Result<Self, QueryParametersError> {
        let count = parameters.len();
        if count > Self::MAX_COUNT {
            return Err(QueryParametersError::TooMany { count });
        }
        for (name, value) in &parameters {
            let has_control = |text: &str| text.chars().any(char::is_control);
            if name.is_empty() || name.len() > Self::MAX_NAME_BYTES || has_control(name) {
                let name = name.chars().take(Self::MAX_NAME_BYTES).collect();
                return Err(QueryParametersError::Name { name });
            }
            if value.len() > Self::MAX_VALUE_BYTES || has_control(value) {
                return Err(QueryParametersError::Value { name: name.clone() });
            }
        }
        Ok(Self(parameters))
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks that they can be added to a URL.
    ///
    /// # Errors
    /// If the URL has one of them already, or becomes too long.
    pub fn check_with(&self, url: &EndpointUrl) -> Result<(), QueryParametersError> {
        let mut names = url.as_url().query_pairs().map(|(name, _)| name);
        if let Some(name) = names.find(|name| self.0.contains_key(&**name)) {
            let name = name.into_owned();
            return Err(QueryParametersError::InUrl { name });
        }
        let len = url.with_query(self).as_str().len();
        if !self.is_empty() && len > EndpointUrl::MAX_BYTES {
            return Err(QueryParametersError::UrlLength { len });
        }
        Ok(())
    }
}

impl From<QueryParameters> for BTreeMap<String, String> {
    fn from(parameters: QueryParameters) -> Self {
        parameters.0
    }
}

/// The reason why query parameters are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryParametersError {
    /// Too many.
    #[error("must be at most {max}, are {count}", max = QueryParameters::MAX_COUNT)]
    TooMany {
        /// The number that was given.
        count: usize,
    },
    /// A name that is empty, too long or has a control character.
    #[error("name `{}` must be 1 to {max} bytes without control characters", name.escape_debug(), max = QueryParameters::MAX_NAME_BYTES)]
    Name {
        /// The name, cut.
        name: String,
    },
    /// A value that is too long or has a control character.
    #[error("`{name}`: value must be at most {max} bytes without control characters", max = QueryParameters::MAX_VALUE_BYTES)]
    Value {
        /// The name.
        name: String,
    },
    /// The URL has the parameter itself.
    #[error("`{}` must not be in `url` too", name.escape_debug())]
    InUrl {
        /// The name.
        name: String,
    },
    /// The URL becomes too long.
    #[error("must make a URL of at most {max} bytes, make one of {len}", max = EndpointUrl::MAX_BYTES)]
    UrlLength {
        /// The length of the URL.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::super::DevelopmentNetworks;
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Result<QueryParameters, QueryParametersError> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        QueryParameters::new(pairs.collect())
    }

    fn url(text: &str) -> EndpointUrl {
        EndpointUrl::parse(text, &DevelopmentNetworks::none()).unwrap()
    }

    #[test]
    fn they_follow_those_of_the_url_and_are_encoded() {
        let query = parameters(&[("b", "2 &=#"), ("a ü", "")]).unwrap();
        for (before, after) in [
            (
                "https://example.com/h",
                "https://example.com/h?a+%C3%BC=&b=2+%26%3D%23",
            ),
            (
                "https://example.com/h?x=%2F&y",
                "https://example.com/h?x=%2F&y&a+%C3%BC=&b=2+%26%3D%23",
            ),
        ] {
            assert_eq!(url(before).with_query(&query).as_str(), after);
        }
        let none = QueryParameters::default();
        assert_eq!(
            url("https://example.com/h?").with_query(&none),
            url("https://example.com/h?")
        );
    }

    #[test]
    fn a_parameter_of_the_url_is_not_set_again() {
        let query = parameters(&[("a b", "1")]).unwrap();
        let in_url = |text| query.check_with(&url(text));
        assert_eq!(in_url("https://example.com/?A+b=2"), Ok(()));
        for text in ["https://example.com/?x&a+b=2", "https://example.com/?a%20b"] {
            let name = "a b".to_owned();
            assert_eq!(
                in_url(text),
                Err(QueryParametersError::InUrl { name }),
                "{text}"
            );
        }
        let long = format!("https://example.com/{}", "x".repeat(2_025));
        assert_eq!(
            in_url(&long),
            Err(QueryParametersError::UrlLength { len: 2_051 })
        );
        assert_eq!(QueryParameters::default().check_with(&url(&long)), Ok(()));
    }

    #[test]
    fn they_are_bounded() {
        let six: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, "")).into();
        assert!(parameters(&six[..5]).is_ok());
        assert_eq!(
            parameters(&six),
            Err(QueryParametersError::TooMany { count: 6 })
        );
        let (name, value) = ("n".repeat(65), "v".repeat(257));
        for bad in ["", "a\n", "a\0", &name] {
            assert!(
                matches!(
                    parameters(&[(bad, "")]),
                    Err(QueryParametersError::Name { .. })
                ),
                "{bad}"
            );
        }
        for bad in ["a\r\nb", "\u{85}", &value] {
            assert!(
                matches!(
                    parameters(&[("a", bad)]),
                    Err(QueryParametersError::Value { .. })
                ),
                "{bad}"
            );
        }
    }
}
