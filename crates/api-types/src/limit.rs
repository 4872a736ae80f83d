//! The limit of a page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The maximum number of entries of a page, 1 to `MAX`. Without one it is `DEFAULT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit<const DEFAULT: u32, const MAX: u32>(u32);

impl<const DEFAULT: u32, const MAX: u32> Limit<DEFAULT, MAX> {
    /// The largest limit.
    pub const LARGEST: Self = Self(MAX);

    /// This number, or the nearest one that is a limit.
    pub fn up_to(number: u32) -> Self {
        Self(number.clamp(1, MAX))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MAX: u32> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

/// The text is not a number from 1 to the largest limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitError {
    max: u32,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be 1 to {}", self.max)
    }
}

impl std::error::Error for LimitError {}

impl<const DEFAULT: u32, const MAX: u32> FromStr for Limit<DEFAULT, MAX> {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let number = text.parse().ok();
        let limit = number.filter(|number| (1..=MAX).contains(number)).map(Self);
        limit.ok_or(LimitError { max: MAX })
    }
}

/// Read from its text, because it stands in a query.
impl<'de, const DEFAULT: u32, const MAX: u32> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::schema::{
        KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
    };
    use utoipa::openapi::{Object, RefOr};
    use utoipa::{PartialSchema, ToSchema};

    use super::Limit;

    impl<const DEFAULT: u32, const MAX: u32> PartialSchema for Limit<DEFAULT, MAX> {
        fn schema() -> RefOr<Schema> {
            let object: Object = ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::Integer))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
                .minimum(Some(1))
                .maximum(Some(MAX))
                .default(Some(DEFAULT.into()))
                .build();
            object.into()
        }
    }

    impl<const DEFAULT: u32, const MAX: u32> ToSchema for Limit<DEFAULT, MAX> {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_from_one_to_the_largest() {
        let read = |text: &str| text.parse::<Limit<5, 10>>().map(Limit::get);
        assert_eq!((read("1"), read("10")), (Ok(1), Ok(10)));
        for text in ["0", "11", "-1", "1.0", "1e1", "4294967297", "", "many"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.to_string(), "must be 1 to 10", "{text}");
        }
        assert_eq!(Limit::<5, 10>::default().get(), 5);
    }

    #[test]
    fn the_nearest_limit_is_found() {
        for (number, limit) in [(0, 1), (7, 7), (11, 10)] {
            assert_eq!(Limit::<5, 10>::up_to(number).get(), limit);
        }
    }
}
