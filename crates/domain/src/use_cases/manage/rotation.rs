//! Rotations of a subscription's secret.

use crate::fields::FieldError;
use crate::signing::{Overlap, Secret, SecretKind};

/// The content of a request for a rotation.
#[derive(Debug)]
pub struct Rotation {
    /// The time for which the previous secret still signs.
    pub overlap: Overlap,
    /// The new secret.
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

impl NewSecret {
    /// The secret of a request with this kind and this secret, of which each may be absent.
    ///
    /// # Errors
    /// When the kind is not that of the secret.
    pub fn of(kind: Option<SecretKind>, secret: Option<Secret>) -> Result<Self, FieldError> {
        match (kind, secret) {
            (None, None) => Ok(Self::GeneratedAsCurrent),
            (Some(kind), None) => Ok(Self::Generated(kind)),
            (Some(kind), Some(secret)) if kind != secret.kind() => {
                let of_secret = secret.kind().as_str();
                let problem = format!("must be that of the secret, `{of_secret}`, or absent");
                Err(FieldError::new("kind", problem))
            }
            (_, Some(secret)) => Ok(Self::Imported(secret)),
        }
    }
}
