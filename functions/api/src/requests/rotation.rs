//! Rotations of a secret.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::manage::{NewSecret, Rotation};
use webhooks_domain::signing::{Overlap, SecretKind};

use super::parsed;

/// Converts a request to a rotation of the secret.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn rotation(request: api::Rotation) -> Result<Rotation, FieldError> {
    let overlap = parsed("overlapSeconds", request.overlap_seconds, |seconds| {
        let max = Overlap::MAX_SECS;
        Overlap::from_secs(seconds.0.into())
            .ok_or_else(|| format!("must be a whole number of seconds, 0 to {max}"))
    })?;
    let kind = request.kind.map(|kind| match kind {
        api::SecretKind::V1 => SecretKind::V1,
        api::SecretKind::V1a => SecretKind::V1a,
    });
    let secret = parsed("secret", request.secret, |secret| secret.parse())?;
    Ok(Rotation {
        overlap: overlap.unwrap_or_default(),
        new_secret: NewSecret::of(kind, secret)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn parse(body: &str) -> Result<Rotation, FieldError> {
        rotation(body::read(body.as_bytes())?)
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
