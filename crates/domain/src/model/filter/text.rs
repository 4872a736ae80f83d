//! The operators on texts. Each takes time in proportion to the length of the text and of the
//! pattern, and not to their product.

use memchr::memmem::Finder;

/// A condition on a text.
#[derive(Debug)]
pub(super) enum TextMatcher {
    /// `prefix`.
    Prefix(String),
    /// `suffix`.
    Suffix(String),
    /// `prefix` with `equals-ignore-case`.
    PrefixIgnoringCase(String),
    /// `suffix` with `equals-ignore-case`.
    SuffixIgnoringCase(String),
    /// `equals-ignore-case`.
    IgnoringCase(String),
    /// `wildcard`.
    Wildcard(Wildcard),
}

impl TextMatcher {
    /// Returns true if a text satisfies the condition. Adds the cost beyond one step.
    pub(super) fn matches(&self, text: &[u8], steps: &mut u64) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_bytes()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_bytes()),
            Self::PrefixIgnoringCase(prefix) => {
                strip_ignoring_case(prefix.chars(), text, strip_letter).is_some()
            }
            Self::SuffixIgnoringCase(suffix) => {
                strip_ignoring_case(suffix.chars().rev(), text, strip_last_letter).is_some()
            }
            Self::IgnoringCase(whole) => {
                strip_ignoring_case(whole.chars(), text, strip_letter).is_some_and(<[u8]>::is_empty)
            }
            Self::Wildcard(wildcard) => {
                *steps += u64::try_from(text.len()).unwrap_or(u64::MAX) / BYTES_PER_STEP;
                wildcard.matches(text)
            }
        }
    }
}

/// The number of bytes that a search passes in the time of one step.
pub(super) const BYTES_PER_STEP: u64 = 32;

/// A wildcard pattern: the parts between its `*`, in order.
#[derive(Debug)]
pub(super) enum Wildcard {
    /// A pattern without `*`.
    Whole(String),
    /// A pattern with one or more `*`.
    Gaps {
        first: String,
        /// The parts between the first and the last, each searched from the left.
        between: Vec<Finder<'static>>,
        last: String,
    },
}

/// The text is not a valid wildcard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WildcardError {
    /// `**`
    ConsecutiveGaps,
    /// A backslash that is not before `*` or `\`.
    Escape,
}

impl Wildcard {
    /// Parses a text in which `*` is a wildcard, `\*` an asterisk and `\\` a backslash.
    pub(super) fn parse(text: &str) -> Result<Self, WildcardError> {
        let mut parts = vec![String::new()];
        let mut letters = text.chars();
        let mut is_after_gap = false;
        while let Some(letter) = letters.next() {
            let part = parts.last_mut().expect("there is one from the beginning");
            match letter {
                '*' if is_after_gap => return Err(WildcardError::ConsecutiveGaps),
                '*' => parts.push(String::new()),
                '\\' => match letters.next() {
                    Some(escaped @ ('*' | '\\')) => part.push(escaped),
                    _ => return Err(WildcardError::Escape),
                },
                letter => part.push(letter),
            }
            is_after_gap = letter == '*';
        }
        let first = parts.remove(0);
        let Some(last) = parts.pop() else {
            return Ok(Self::Whole(first));
        };
        let between = parts.iter().map(|part| Finder::new(part).into_owned());
        Ok(Self::Gaps {
            first,
            between: between.collect(),
            last,
        })
    }

    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Whole(whole) => text == whole.as_bytes(),
            Self::Gaps {
                first,
                between,
                last,
            } => {
                let middle = text
                    .strip_prefix(first.as_bytes())
                    .and_then(|rest| rest.strip_suffix(last.as_bytes()));
                // The leftmost occurrence of a part leaves the longest rest for the next parts.
                let rest = middle.and_then(|middle| {
                    between.iter().try_fold(middle, |rest, part| {
                        let found = part.find(rest)?;
                        Some(&rest[found + part.needle().len()..])
                    })
                });
                rest.is_some()
            }
        }
    }
}

/// Removes the letters, in either case, from a text, and returns the rest.
///
/// `EventBridge` accepts the lower and the upper case of each letter (Event Ruler,
/// `EqualsIgnoreCaseParser`), even of another length: for `ß` it accepts `ß` and `SS`, but not
/// `ss`. No form of a letter is a prefix or a suffix of another form of it, so at most one form can
/// be removed.
fn strip_ignoring_case<'t>(
    mut letters: impl Iterator<Item = char>,
    text: &'t [u8],
    strip: impl Fn(&'t [u8], &[u8]) -> Option<&'t [u8]>,
) -> Option<&'t [u8]> {
    letters.try_fold(text, |rest, letter| {
        forms(letter).find_map(|form| strip(rest, form.as_bytes()))
    })
}

fn strip_letter<'t>(text: &'t [u8], form: &[u8]) -> Option<&'t [u8]> {
    text.strip_prefix(form)
}

fn strip_last_letter<'t>(text: &'t [u8], form: &[u8]) -> Option<&'t [u8]> {
    text.strip_suffix(form)
}

/// A letter, its lower case and its upper case.
fn forms(letter: char) -> impl Iterator<Item = Form> {
    let as_it_is = Form::of(std::iter::once(letter));
    let cases = (!letter.is_ascii() || letter.is_ascii_alphabetic()).then(|| {
        [
            Form::of(letter.to_lowercase()),
            Form::of(letter.to_uppercase()),
        ]
    });
    std::iter::once(as_it_is).chain(cases.into_iter().flatten())
}

/// One form of a letter: at most three characters.
struct Form {
    bytes: [u8; 12],
    len: usize,
}

impl Form {
    fn of(letters: impl Iterator<Item = char>) -> Self {
        let mut form = Self {
            bytes: [0; 12],
            len: 0,
        };
        for letter in letters {
            form.len += letter.encode_utf8(&mut form.bytes[form.len..]).len();
        }
        form
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wildcard(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).unwrap().matches(text.as_bytes())
    }

    fn ignoring_case(pattern: &str, text: &str) -> bool {
        TextMatcher::IgnoringCase(pattern.to_owned()).matches(text.as_bytes(), &mut 0)
    }

    /// Matches a wildcard by its definition, letter by letter.
    fn by_definition(pattern: &[Option<char>], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            ([None, rest @ ..], text) => {
                (0..=text.len()).any(|gap| by_definition(rest, &text[gap..]))
            }
            ([Some(letter), rest @ ..], [first, text @ ..]) => {
                letter == first && by_definition(rest, text)
            }
            _ => false,
        }
    }

    #[test]
    fn a_wildcard_may_match_nothing_and_an_asterisk_can_be_escaped() {
        for (pattern, text, wanted) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*bb*c", "a-b-bb-c", true),
            ("a*bb*bc", "abbc", false),
            ("*ab*ab*", "ab-ab", true),
            ("*ab*ab*", "aba", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"a\\*", r"a\b", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(wildcard(pattern, text), wanted, "{pattern} {text}");
        }
        for (bad, problem) in [
            ("**", WildcardError::ConsecutiveGaps),
            ("a**b", WildcardError::ConsecutiveGaps),
            (r"a\b", WildcardError::Escape),
            (r"a\", WildcardError::Escape),
        ] {
            assert_eq!(Wildcard::parse(bad).unwrap_err(), problem, "{bad}");
        }
        assert!(wildcard(r"*\**", "a*"));
    }

    #[test]
    fn a_letter_equals_itself_and_its_lower_and_upper_case() {
        for (pattern, text, wanted) in [
            ("Abc", "aBC", true),
            ("Abc", "abcd", false),
            ("Abc", "ab", false),
            ("1.€", "1.€", true),
            ("É", "é", true),
            ("straße", "STRASSE", true),
            ("straße", "straße", true),
            ("straße", "strasse", false),
            ("μ", "Μ", true),
            ("σ", "Σ", true),
            ("ς", "σ", false),
            ("ǅ", "ǅ", true),
            ("ǅ", "ǆ", true),
            ("\u{3b0}", "\u{3a5}\u{308}\u{301}", true),
            ("ⱥ", "Ⱥ", true),
            ("İ", "i̇", true),
            ("ﬁn", "FIN", true),
            ("😀", "😀", true),
        ] {
            assert_eq!(ignoring_case(pattern, text), wanted, "{pattern} {text}");
        }
        let half = b"a\xed\xa0\xbd";
        assert!(TextMatcher::PrefixIgnoringCase("A".to_owned()).matches(half, &mut 0));
        assert!(!TextMatcher::IgnoringCase("A\u{fffd}".to_owned()).matches(half, &mut 0));
        assert!(
            TextMatcher::SuffixIgnoringCase("ßx".to_owned()).matches("aSSX".as_bytes(), &mut 0)
        );
        assert!(!TextMatcher::SuffixIgnoringCase("ßx".to_owned()).matches("SX".as_bytes(), &mut 0));
    }

    #[test]
    fn no_form_of_a_letter_is_a_prefix_or_suffix_of_another() {
        for letter in '\0'..=char::MAX {
            let forms: Vec<Form> = forms(letter).collect();
            for one in &forms {
                for other in &forms {
                    let (one, other) = (one.as_bytes(), other.as_bytes());
                    let overlap = one.starts_with(other) || one.ends_with(other);
                    assert!(one == other || !overlap, "{letter}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_wildcard_matches_by_its_definition(
            pattern in "[ab\\\\*é]{0,10}",
            text in "[abé]{0,12}",
        ) {
            let Ok(wildcard) = Wildcard::parse(&pattern) else { return Ok(()) };
            let mut parts = Vec::new();
            let mut letters = pattern.chars();
            while let Some(letter) = letters.next() {
                parts.push(match letter {
                    '*' => None,
                    '\\' => letters.next(),
                    letter => Some(letter),
                });
            }
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(wildcard.matches(text.as_bytes()), by_definition(&parts, &letters));
        }
    }
}
