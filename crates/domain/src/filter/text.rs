//! What a filter may ask of one text. Each question is answered in a time that grows with
//! the length of the text and of the pattern, not with their product.

use memchr::memmem::Finder;

/// A question about a text.
#[derive(Debug)]
pub(super) enum TextMatcher {
    /// How it begins.
    Prefix(String),
    /// How it ends.
    Suffix(String),
    /// `prefix` around `equals-ignore-case`.
    PrefixIgnoringCase(String),
    /// `suffix` around `equals-ignore-case`.
    SuffixIgnoringCase(String),
    /// What it is, in any case.
    IgnoringCase(String),
    /// What it is, with gaps.
    Wildcard(Wildcard),
}

impl TextMatcher {
    /// Whether a text is such a one. Adds what that costs beyond one step.
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

/// How many bytes a search through a text passes in the time of one step.
pub(super) const BYTES_PER_STEP: u64 = 32;

/// A text with gaps: what stands between its `*`, in order.
#[derive(Debug)]
pub(super) enum Wildcard {
    /// Without a gap.
    Whole(String),
    /// With one or more.
    Gaps {
        first: String,
        /// What is looked for between the first and the last, each from the left.
        between: Vec<Finder<'static>>,
        last: String,
    },
}

/// A text that is no wildcard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WildcardError {
    /// `**`
    ConsecutiveGaps,
    /// A backslash before anything but `*` and `\`.
    Escape,
}

impl Wildcard {
    /// Parses a text in which `*` is a gap, `\*` an asterisk and `\\` a backslash.
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
                // The earliest place of a part leaves the most for those after it.
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

/// What is left of a text without the letters, each in any case.
///
/// `EventBridge` takes the lower and the upper case of each letter (Event Ruler,
/// `EqualsIgnoreCaseParser`), whatever their length: for `ß` it takes `ß` and `SS`, not `ss`.
/// No form of a letter begins or ends with another form of it, so there is one way only.
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

/// A letter as it is, its lower case and its upper case.
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

/// A letter in a case: at most three characters.
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

    /// A wildcard by its definition, letter by letter.
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
    fn a_gap_may_be_empty_and_an_asterisk_may_be_meant() {
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
    fn a_letter_is_itself_or_in_its_lower_or_upper_case() {
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
    fn no_form_of_a_letter_begins_or_ends_with_another_form_of_it() {
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
        fn a_wildcard_is_what_it_is_by_definition(
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
