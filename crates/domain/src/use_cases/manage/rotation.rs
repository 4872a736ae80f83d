//! The body of a request that rotates the secret of a subscription.

use crate::fields::{Field, FieldError, fields};
use crate::signing::{Overlap, Secret, SecretKind};
use crate::whole_number::WholeNumber;

/// The content of a request for a rotation.
#[derive(Debug)]
pub struct Rotation {
    /// `overlapSeconds`
    pub overlap: Overlap,
    /// `kind` and `secret`
    pub new_secret: NewSecret,
}

/// The source of the new secret.
#[derive(Debug, PartialEq, Eq)]
pub enum NewSecret {
    /// It is generated, with the current secret's kind.
    GeneratedAsCurrent,
    /// It is generated, with this kind.
    Generated(SecretKind),
    /// It is given in the request.
    Imported(Secret),
}

impl Rotation {
    /// Parses a JSON body.
    ///
    /// # Errors
    /// Names the first field that is unknown or not valid.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        let (mut overlap, mut kind, mut secret) = (Overlap::default(), None, None);
        for (name, value) in &fields(body)? {
            let value = Field::new(name, value);
            match name.as_str() {
                "overlapSeconds" => overlap = value.overlap()?,
                "kind" => kind = Some(value.kind()?),
                "secret" => secret = Some(value.secret()?),
                _ => return Err(value.unknown("overlapSeconds, kind, secret")),
            }
        }
        let new_secret = match (kind, secret) {
            (None, None) => NewSecret::GeneratedAsCurrent,
            (Some(kind), None) => NewSecret::Generated(kind),
            (Some(kind), Some(secret)) if kind != secret.kind() => {
                let of_secret = secret.kind().as_str();
                let problem = format!("must be that of the secret, `{of_secret}`, or absent");
                return Err(FieldError::new("kind", problem));
            }
            (_, Some(secret)) => NewSecret::Imported(secret),
        };
        Ok(Self {
            overlap,
            new_secret,
        })
    }
}

impl Field<'_> {
    fn overlap(&self) -> Result<Overlap, FieldError> {
        let seconds = self.read().ok().map(|WholeNumber(seconds)| seconds);
        let overlap = seconds.and_then(Overlap::from_secs);
        overlap.ok_or_else(|| {
            let max = Overlap::MAX_SECS;
            self.error(format!("must be a whole number of seconds, 0 to {max}"))
        })
    }

    fn kind(&self) -> Result<SecretKind, FieldError> {
        match self.text()?.as_str() {
            "v1" => Ok(SecretKind::V1),
            "v1a" => Ok(SecretKind::V1a),
            _ => Err(self.error("must be `v1` or `v1a`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn parse(body: &str) -> Result<Rotation, FieldError> {
        Rotation::parse(body.as_bytes())
    }

    #[test]
    fn a_whole_number_of_seconds_may_be_written_with_a_point() {
        let rotation = parse(r#"{"overlapSeconds":3600.0}"#).unwrap();
        assert_eq!(Some(rotation.overlap), Overlap::from_secs(3_600));
        assert!(parse(r#"{"overlapSeconds":0.5}"#).is_err());
    }

    #[test]
    fn every_field_is_read() {
        let silent = parse("{}").unwrap();
        assert_eq!(silent.overlap, Overlap::default());
        assert_eq!(silent.new_secret, NewSecret::GeneratedAsCurrent);
        let migration = parse(r#"{"kind":"v1a","overlapSeconds":604800}"#).unwrap();
        assert_eq!(Some(migration.overlap), Overlap::from_secs(604_800));
        let expected = NewSecret::Generated(SecretKind::V1a);
        assert_eq!(migration.new_secret, expected);
        let import = parse(&format!(r#"{{"secret":"{V1}","kind":"v1"}}"#)).unwrap();
        let expected = NewSecret::Imported(V1.parse().unwrap());
        assert_eq!(import.new_secret, expected);
    }

    #[test]
    fn every_bad_input_names_its_field() {
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"overlap":60}"#, "overlap"),
            (r#"{"overlapSeconds":-1}"#, "overlapSeconds"),
            (r#"{"overlapSeconds":1.5}"#, "overlapSeconds"),
            (r#"{"overlapSeconds":604801}"#, "overlapSeconds"),
            (r#"{"overlapSeconds":"60"}"#, "overlapSeconds"),
            (r#"{"overlapSeconds":null}"#, "overlapSeconds"),
            (r#"{"kind":"v2"}"#, "kind"),
            (r#"{"kind":1}"#, "kind"),
            (r#"{"secret":"password"}"#, "secret"),
            (r#"{"secret":null}"#, "secret"),
        ] {
            assert_eq!(parse(body).unwrap_err().field, field, "{body}");
        }
        let other_kind = format!(r#"{{"secret":"{V1}","kind":"v1a"}}"#);
        assert_eq!(parse(&other_kind).unwrap_err().field, "kind");
    }

    #[test]
    fn an_error_never_repeats_a_secret() {
        for field in ["overlapSeconds", "kind"] {
            let error = parse(&format!(r#"{{"{field}":"{V1}"}}"#)).unwrap_err();
            assert!(!error.to_string().contains(V1), "{error}");
        }
        let error = parse(&format!(r#"{{"secret":"{V1}=","kind":"v1a"}}"#)).unwrap_err();
        assert!(!error.to_string().contains("MfKQ"), "{error}");
    }
}
