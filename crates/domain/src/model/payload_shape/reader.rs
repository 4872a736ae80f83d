//! Reads JSON text once, from left to right.
//!
//! Nothing is copied, so numbers and strings stay as they are written. A value is skipped without
//! recursion, at any depth. The text must be JSON: no other text makes it fail or loop, but what it
//! finds there has no meaning.

use std::borrow::Cow;

/// A position in a JSON text.
pub(super) struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        Self { json, at: 0 }
    }

    /// The first byte of the next value or mark.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.json.as_bytes();
        while matches!(bytes.get(self.at)?, b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Reads the next value. Returns its text.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        self.spanned(Self::skip)
    }

    /// The text of the value that `read` reads.
    pub(super) fn spanned(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<&'a str> {
        self.peek()?;
        let start = self.at;
        read(self)?;
        self.json.get(start..self.at)
    }

    /// Visits the members of the next value, an object. The visitor reads the value of each. It
    /// gets the name as it is written, with its quotes.
    pub(super) fn members(
        &mut self,
        mut visit: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.list(b'}', |reader| {
            let name = reader.spanned(Self::string)?;
            reader.mark(b':')?;
            visit(reader, name)
        })
    }

    /// Visits the elements of the next value, an array. The visitor reads each.
    pub(super) fn elements(
        &mut self,
        mut visit: impl FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        let mut index = 0;
        self.list(b']', |reader| {
            visit(reader, index)?;
            index += 1;
            Some(())
        })
    }

    fn list(&mut self, end: u8, mut visit: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.peek()?;
        self.at += 1;
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            visit(self)?;
            let mark = self.peek()?;
            self.at += 1;
            match mark {
                b',' => {}
                mark if mark == end => return Some(()),
                _ => return None,
            }
        }
    }

    fn mark(&mut self, expected: u8) -> Option<()> {
        let found = self.peek()?;
        self.at += 1;
        (found == expected).then_some(())
    }

    fn skip(&mut self) -> Option<()> {
        let bytes = self.json.as_bytes();
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b',' | b':' => return None,
                _ => {
                    let rest = &bytes[self.at..];
                    let is_of_word = |byte: &&u8| {
                        !matches!(
                            byte,
                            b',' | b':' | b'}' | b']' | b'"' | b' ' | b'\t' | b'\n' | b'\r'
                        )
                    };
                    self.at += rest.iter().take_while(is_of_word).count();
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.mark(b'"')?;
        let bytes = self.json.as_bytes();
        loop {
            self.at += memchr::memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at += 2;
        }
    }
}

/// The text of a JSON string. An unpaired surrogate becomes U+FFFD.
pub(super) fn unescaped(string: &str) -> Cow<'_, str> {
    let inner = inner(string);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let bytes: Option<serde_bytes::ByteBuf> = serde_json::from_str(string).ok();
    Cow::Owned(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

/// A JSON string without its quotes, as it is written.
pub(super) fn inner(string: &str) -> &str {
    string
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        for value in [
            "1e400",
            "0.10",
            "-0.0",
            "true",
            r#""a\"]}\\""#,
            r#"{"a" : [1, {"b":"}"}] , "c":{}}"#,
            "[ ]",
        ] {
            let json = format!(" [ {value} , 7 ]");
            let mut found = Vec::new();
            let read = Reader::new(&json).elements(|reader, _| {
                found.push(reader.value()?);
                Some(())
            });
            assert_eq!((read, found), (Some(()), vec![value, "7"]), "{json}");
        }
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(Reader::new(&deep).value(), Some(&*deep));
    }

    #[test]
    fn an_unpaired_surrogate_is_replaced() {
        assert_eq!(unescaped(r#""a\ud83db\n""#), "a\u{fffd}\u{fffd}\u{fffd}b\n");
        assert_eq!(unescaped(r#""\ud83d\ude00 \/""#), "😀 /");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in r#"[\[\]{}",:\\1a ]{0,60}"#) {
            let mut reader = Reader::new(&text);
            let _ = reader.value();
            let _ = Reader::new(&text).members(|reader, name| {
                let _ = unescaped(name);
                reader.value().map(drop)
            });
        }
    }
}
