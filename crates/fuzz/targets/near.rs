//! Generates inputs that resemble real ones, since pure noise would fail a parser's first
//! check.

use std::ops::Range;

use bolero::{Driver, ValueGenerator};

/// Texts that are one of the seeds, changed in a few places.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    seeds: Vec<String>,
    tokens: &'static [&'static str],
}

/// Generates texts that resemble `seeds`, with `tokens` inserted at times.
pub(crate) fn near(
    seeds: impl IntoIterator<Item = impl Into<String>>,
    tokens: &'static [&'static str],
) -> Near {
    let seeds: Vec<String> = seeds.into_iter().map(Into::into).collect();
    assert!(!seeds.is_empty() && !tokens.is_empty());
    Near { seeds, tokens }
}

impl Near {
    fn seed(&self, driver: &mut impl Driver) -> Option<&str> {
        any_of(driver, &self.seeds).map(String::as_str)
    }

    fn edit(&self, driver: &mut impl Driver, text: &mut Vec<char>) -> Option<()> {
        let at = range(driver, text.len())?;
        match (0..6_u8).generate(driver)? {
            0 => drop(text.drain(at)),
            1 => {
                let piece = text[at.clone()].repeat((2..=512).generate(driver)?);
                text.splice(at, piece);
            }
            2 => {
                let other: Vec<char> = self.seed(driver)?.chars().collect();
                let piece = range(driver, other.len())?;
                text.splice(at, other[piece].iter().copied());
            }
            3 => drop(text.splice(at, [char::from(driver.produce::<u8>()?)])),
            4 => drop(text.splice(at, [driver.produce()?])),
            _ => drop(text.splice(at, any_of(driver, self.tokens)?.chars())),
        }
        Some(())
    }
}

impl ValueGenerator for Near {
    type Output = String;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<String> {
        let mut text: Vec<char> = self.seed(driver)?.chars().collect();
        for _ in 0..*any_of(driver, &[0, 1, 1, 2, 2, 3, 5])? {
            self.edit(driver, &mut text)?;
        }
        Some(text.into_iter().collect())
    }
}

fn any_of<'a, T>(driver: &mut impl Driver, items: &'a [T]) -> Option<&'a T> {
    items.get((0..items.len()).generate(driver)?)
}

/// Generates a short range within `0..len`; a third of them are empty.
fn range(driver: &mut impl Driver, len: usize) -> Option<Range<usize>> {
    let start = (0..=len).generate(driver)?;
    let end = start + any_of(driver, &[0, 0, 1, 1, 4, 12])?;
    Some(start..end.min(len))
}
