//! The fields of an event's detail that a subscription gets.

use super::path_tree::{PathTree, Step};

/// JSON pointers (RFC 6901) into the event's `detail`. Everything else is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFields(Vec<String>);

/// The texts are not pointers to fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptFieldsError {
    /// None, or too many.
    #[error("must be 1 to {max} JSON pointers, are {count}", max = KeptFields::MAX_COUNT)]
    Count {
        /// The number that was given.
        count: usize,
    },
    /// Too long.
    #[error("pointer {number} must be at most {max} bytes, is {len}", max = KeptFields::MAX_BYTES)]
    Length {
        /// The pointer's number, from 1.
        number: usize,
        /// The length that was given.
        len: usize,
    },
    /// Not a pointer.
    #[error(
        "pointer {number} must begin with `/` and use `~` only in `~0` and `~1`, as in `/order/id`"
    )]
    Syntax {
        /// The pointer's number, from 1.
        number: usize,
    },
}

impl KeptFields {
    /// The largest number of pointers.
    pub const MAX_COUNT: usize = 100;
    /// The longest pointer, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks the pointers.
    ///
    /// # Errors
    /// If a limit is exceeded, or a text is not a pointer to something within the detail.
    pub fn new(pointers: Vec<String>) -> Result<Self, KeptFieldsError> {
        let count = pointers.len();
        if !(1..=Self::MAX_COUNT).contains(&count) {
            return Err(KeptFieldsError::Count { count });
        }
        for (number, pointer) in (1..).zip(&pointers) {
            let len = pointer.len();
            if len > Self::MAX_BYTES {
                return Err(KeptFieldsError::Length { number, len });
            }
            let mut after_tildes = pointer.split('~').skip(1);
            if !pointer.starts_with('/') || !after_tildes.all(|rest| rest.starts_with(['0', '1'])) {
                return Err(KeptFieldsError::Syntax { number });
            }
        }
        Ok(Self(pointers))
    }

    /// The pointers.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// A JSON value with nothing but these fields. Values are copied byte for byte. A field that is
    /// absent is left out, and of an array the elements that are kept move together.
    pub(crate) fn of(&self, detail: &str) -> String {
        let paths = self.0.iter().map(|pointer| {
            let steps = pointer.split('/').skip(1);
            steps.map(|step| forms(&step.replace("~1", "/").replace("~0", "~")))
        });
        let kept = PathTree::new(paths).keep(detail);
        kept.unwrap_or_else(|| "{}".to_owned())
    }
}

/// A step of a pointer names a member, and an element if it is a whole number.
fn forms(step: &str) -> impl Iterator<Item = Step> + use<> {
    let is_canonical =
        step == "0" || (!step.starts_with('0') && step.bytes().all(|digit| digit.is_ascii_digit()));
    let index = step.parse().ok().filter(|_| is_canonical);
    [Step::Member(step.to_owned())]
        .into_iter()
        .chain(index.map(Step::Element))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pointers: &[&str]) -> Result<KeptFields, KeptFieldsError> {
        KeptFields::new(pointers.iter().map(|&pointer| pointer.to_owned()).collect())
    }

    #[test]
    fn pointers_keep_fields_as_they_are_written() {
        let detail =
            r#"{"order":{"id":"o 1","total":0.10},"a/b":1e400,"m~n":[1,2],"":{"":5},"01":1}"#;
        for (pointers, kept) in [
            (&["/order/total"] as &[&str], r#"{"order":{"total":0.10}}"#),
            (&["/a~1b", "/m~0n/1"], r#"{"a/b":1e400,"m~n":[2]}"#),
            (&["/"], r#"{"":{"":5}}"#),
            (&["//"], r#"{"":{"":5}}"#),
            (&["/01"], r#"{"01":1}"#),
            (&["/m~0n/01", "/none", "/order/id/x"], "{}"),
        ] {
            assert_eq!(fields(pointers).unwrap().of(detail), kept, "{pointers:?}");
        }
    }

    #[test]
    fn pointers_are_bounded() {
        let (long, deep) = (format!("/{}", "a".repeat(256)), "/a".repeat(128));
        assert!(fields(&[&deep]).is_ok());
        assert!(fields(&["/a"; 100]).is_ok());
        let syntax = |number| Err(KeptFieldsError::Syntax { number });
        assert_eq!(fields(&["/a", "a"]), syntax(2));
        for text in ["", "a", "/~", "/a~2", "$.a", "#/a"] {
            assert_eq!(fields(&[text]), syntax(1), "{text}");
        }
        assert_eq!(
            fields(&[&long]),
            Err(KeptFieldsError::Length {
                number: 1,
                len: 257
            })
        );
        for count in [0, 101] {
            assert_eq!(
                fields(&vec!["/a"; count]),
                Err(KeptFieldsError::Count { count })
            );
        }
    }

    #[test]
    fn deep_pointers_into_deep_details_are_followed() {
        let detail = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert!(fields(&[&"/a".repeat(128)]).unwrap().of(&detail).len() > 500_000);
        assert_eq!(
            fields(&[&"/a".repeat(127), &"/b".repeat(128)])
                .unwrap()
                .as_slice()
                .len(),
            2
        );
    }
}
