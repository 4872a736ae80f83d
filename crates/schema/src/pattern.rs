//! The bounds of regular expressions: their work, and their memory.
//!
//! The crate `regex` has a limit for the compiled size of an expression. It holds for each of the two
//! automata that are built, forwards and backwards, and not for what is derived from them: a one-pass
//! automaton of at most 1 MB, and what a search keeps for the next one, above all the states of the lazy
//! automata. So the memory is not bounded by the limit, and each expression is [measured](memory).

use jsonschema_regex::Search;
use regex_automata::meta::{Config, Regex};
use regex_automata::nfa::thompson::{self, NFA};

/// The largest compiled size of a regular expression, in bytes, in each direction. It bounds the work
/// for each byte of a text, which is at most one visit of each of its states.
pub(crate) const MAX_BYTES: usize = 16_384;

/// The most memory of the lazy automaton of a regular expression, in bytes, in each direction. It is
/// kept with the expression. Where it is too small, the expression is matched without one.
pub(crate) const MAX_LAZY_BYTES: usize = 16_384;

/// The memory of a compiled regular expression that `regex` does not count, and of its other caches,
/// in bytes, rounded up: the syntax tree's properties, the search for literals, and a buffer for texts
/// of up to 128 bytes.
const FURTHER_BYTES: usize = 16_384;

/// The memory of an expression that is compared as a text, without the text, in bytes.
const LITERAL_BYTES: usize = 512;

/// The steps for eight bytes of a text that a regular expression of the largest size looks at.
pub(crate) const STEPS_FOR_EIGHT_BYTES: u64 = 128;

/// The steps for a text that is matched with a regular expression.
pub(crate) fn steps(text: &str) -> u64 {
    eighths(text).saturating_mul(STEPS_FOR_EIGHT_BYTES)
}

/// The length of a text in parts of eight bytes, rounded up, at least 1.
pub(crate) fn eighths(text: &str) -> u64 {
    text.len() as u64 / 8 + 1
}

/// The most memory that a regular expression takes when it is compiled and used, in bytes. `None` if it
/// cannot be compiled, or exceeds [`MAX_BYTES`].
///
/// `jsonschema` compiles it in the same way, and does not tell the size. The automata are measured. The
/// caches count as if one thread had filled them, which is how the function that keeps schemas runs.
pub(crate) fn memory(pattern: &str) -> Option<u64> {
    let compiled = match jsonschema_regex::analyze_pattern(pattern) {
        Some(_) => 0,
        None => engine(pattern)?,
    };
    Some((LITERAL_BYTES + 4 * pattern.len() + compiled) as u64)
}

/// The same of one that is not compared as a text.
fn engine(pattern: &str) -> Option<usize> {
    let translated = jsonschema_regex::to_rust_regex(pattern).ok()?;
    let regex = match jsonschema_regex::search_form(pattern, &translated) {
        Some(Search::RepeatedClass(_)) => return Some(FURTHER_BYTES),
        Some(Search::Collapsed(collapsed)) => collapsed,
        None => translated.into_owned(),
    };
    let limit = thompson::Config::new().nfa_size_limit(Some(MAX_BYTES));
    let nfa = NFA::compiler().configure(limit).build(&regex).ok()?;
    let config = Config::new()
        .nfa_size_limit(Some(MAX_BYTES))
        .hybrid_cache_capacity(MAX_LAZY_BYTES);
    let compiled = Regex::builder().configure(config).build(&regex).ok()?;
    // The simulation of the automaton has the places of all groups in each of two lists of states.
    let (states, places) = (nfa.states().len(), nfa.group_info().slot_len());
    let simulation = 2 * size_of::<usize>() * (states + 1) * (places + 3);
    Some(compiled.memory_usage() + simulation + 2 * MAX_LAZY_BYTES + FURTHER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_pattern_is_that_of_its_automata_and_not_of_its_text() {
        assert!(memory("^(EUR|USD|CHF)$").unwrap() < 1_000);
        let small = memory("x[0-9]+y").unwrap();
        assert!((40_000..70_000).contains(&small), "{small}");
        // About a hundred groups: a one-pass automaton, and a list of places for each state.
        let groups = format!("^{}$", "(a)".repeat(100));
        let many = memory(&groups).unwrap();
        assert!(many > 500_000, "{many}");
        assert_eq!(memory("(?=a)b"), None);
        assert_eq!(memory("[a-z]{900}x"), None);
    }
}
