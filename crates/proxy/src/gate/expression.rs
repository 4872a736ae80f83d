//! Reads DynamoDB's expressions, as far as needed to find the errors that AWS refuses.

use std::{collections::HashSet, sync::LazyLock};

/// The names that an expression may contain only as placeholders
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>).
static RESERVED: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("reserved_words.txt")
        .split_whitespace()
        .collect()
});

const FUNCTIONS: [&str; 8] = [
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "if_not_exists",
    "list_append",
    "size",
];

/// A part of an expression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Token<'a> {
    /// `#name`, the placeholder of an attribute name.
    Name(&'a str),
    /// `:value`
    Value(&'a str),
    /// A word and its role: an attribute, a keyword or a function.
    Word(&'a str, WordKind),
    /// `=`, `<=`, `+`
    Operator(&'a str),
    /// A bracket, a comma, a dot or an index.
    Mark(char),
    /// A number in an index.
    Index,
    /// A character that no expression may contain.
    Stray(char),
}

/// The role of a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WordKind {
    Attribute,
    Keyword,
    Function,
}

/// The kind of an expression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExpressionKind {
    /// A comparison: a condition, a filter or a key condition.
    Condition,
    Update,
    Projection,
}

impl ExpressionKind {
    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Condition => &["AND", "OR", "NOT", "BETWEEN", "IN"],
            Self::Update => &["SET", "REMOVE", "ADD", "DELETE"],
            Self::Projection => &[],
        }
    }
}

/// Splits an expression into its parts.
pub(crate) fn tokens(text: &str, kind: ExpressionKind) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |skip: usize| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest[skip..].find(|c| !is_part(c));
            end.map_or(rest.len(), |end| skip + end)
        };
        let (token, length) = match first {
            '#' if word(1) > 1 => (Token::Name(&rest[..word(1)]), word(1)),
            ':' if word(1) > 1 => (Token::Value(&rest[..word(1)]), word(1)),
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = word(0);
                let is_called = rest[end..].trim_start().starts_with('(');
                let kind = word_kind(&rest[..end], is_called, kind);
                (Token::Word(&rest[..end], kind), end)
            }
            '0'..='9' => (Token::Index, word(0)),
            '<' | '>' | '=' | '+' | '-' => {
                let is_double = ["<=", ">=", "<>"].iter().any(|two| rest.starts_with(two));
                let length = if is_double { 2 } else { 1 };
                (Token::Operator(&rest[..length]), length)
            }
            '(' | ')' | '[' | ']' | ',' | '.' => (Token::Mark(first), 1),
            other => (Token::Stray(other), other.len_utf8()),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn word_kind(word: &str, is_called: bool, kind: ExpressionKind) -> WordKind {
    let is_keyword = |keyword: &&str| keyword.eq_ignore_ascii_case(word);
    if kind.keywords().iter().any(is_keyword) {
        WordKind::Keyword
    } else if is_called {
        WordKind::Function
    } else {
        WordKind::Attribute
    }
}

/// Returns the error in a part of an expression that the part alone shows.
pub(crate) fn fault(token: Token<'_>) -> Option<String> {
    match token {
        Token::Word(word, WordKind::Attribute)
            if RESERVED.contains(word.to_ascii_uppercase().as_str()) =>
        {
            Some(format!("`{word}` is a reserved word"))
        }
        Token::Word(word, WordKind::Function) if !FUNCTIONS.contains(&word) => {
            Some(format!("`{word}` is not a function"))
        }
        Token::Stray(character) => Some(format!("`{character}` is not allowed in an expression")),
        _ => None,
    }
}

/// Counts the operators and functions to which AWS's limit applies.
pub(crate) fn operators(tokens: &[Token<'_>], kind: ExpressionKind) -> usize {
    let counts = |token: &&Token<'_>| match token {
        // In an update, `=` assigns.
        Token::Operator("=") => kind != ExpressionKind::Update,
        Token::Operator(_) | Token::Word(_, WordKind::Function) => true,
        Token::Word(_, WordKind::Keyword) => kind == ExpressionKind::Condition,
        _ => false,
    };
    let between = |token: &&Token<'_>| matches!(token, Token::Word(word, WordKind::Keyword) if word.eq_ignore_ascii_case("BETWEEN"));
    // The AND of a BETWEEN belongs to it.
    tokens.iter().filter(counts).count() - tokens.iter().filter(between).count()
}

/// Returns the largest number of values in an IN of the expression.
pub(crate) fn operands_of_in(tokens: &[Token<'_>]) -> usize {
    let is_in = |token: &Token<'_>| matches!(token, Token::Word(word, WordKind::Keyword) if word.eq_ignore_ascii_case("IN"));
    let lists = tokens.iter().enumerate().filter(|(_, token)| is_in(token));
    let operands = lists.map(|(place, _)| {
        let list = tokens[place..]
            .iter()
            .take_while(|token| **token != Token::Mark(')'));
        1 + list.filter(|token| **token == Token::Mark(',')).count()
    });
    operands.max().unwrap_or(0)
}

/// Returns the attributes that an update sets directly to a value, each with the value's
/// placeholder.
pub(crate) fn set_values<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = (&'a str, &'a str)> {
    tokens.windows(3).filter_map(|three| match three {
        [
            Token::Name(attribute) | Token::Word(attribute, WordKind::Attribute),
            Token::Operator("="),
            Token::Value(value),
        ] => Some((*attribute, *value)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, kind: ExpressionKind) -> Vec<String> {
        let tokens = tokens(text, kind);
        tokens.into_iter().filter_map(fault).collect()
    }

    #[test]
    fn the_list_of_reserved_words_is_whole() {
        assert_eq!(RESERVED.len(), 573);
    }

    #[test]
    fn expressions_as_they_are_written_have_no_fault() {
        for (text, kind) in [
            (
                "attribute_not_exists(pk) OR (#s = :a AND size(attempts) < :n)",
                ExpressionKind::Condition,
            ),
            (
                "pk = :pk AND sk BETWEEN :a AND :b",
                ExpressionKind::Condition,
            ),
            (
                "NOT contains(a.b[0].#c, :v) and x in (:a, :b)",
                ExpressionKind::Condition,
            ),
            (
                "SET a = if_not_exists(a, :z) + :n, #b = list_append(#b, :l) REMOVE c[1]",
                ExpressionKind::Update,
            ),
            (
                "set a = :a ADD n :one DELETE tags :t",
                ExpressionKind::Update,
            ),
            ("pk, sk, a.b[0]", ExpressionKind::Projection),
        ] {
            assert_eq!(faults(text, kind), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn reserved_words_unknown_functions_and_strays_are_faults() {
        let condition = ExpressionKind::Condition;
        assert_eq!(
            faults("Status = :s", condition),
            ["`Status` is a reserved word"]
        );
        assert_eq!(
            faults("a.data = :s", condition),
            ["`data` is a reserved word"]
        );
        assert_eq!(
            faults("SET size = :s", ExpressionKind::Update),
            ["`size` is a reserved word"]
        );
        assert_eq!(
            faults("exists_attribute(a)", condition),
            ["`exists_attribute` is not a function"]
        );
        assert_eq!(faults("a = 'b'", condition).len(), 2);
        // A keyword of another kind of expression is an ordinary name.
        assert_eq!(faults("set = :s", condition), ["`set` is a reserved word"]);
    }

    #[test]
    fn the_values_of_an_in_and_of_a_set_are_found() {
        let found = |text| operands_of_in(&tokens(text, ExpressionKind::Condition));
        assert_eq!(found("a IN (:a, :b) AND b in (:c)"), 2);
        assert_eq!(found("a = :a"), 0);
        let update = "SET a = :a, #b = :b, c = c + :c, d.e = :e REMOVE f";
        let update = tokens(update, ExpressionKind::Update);
        let set: Vec<_> = set_values(&update).collect();
        assert_eq!(set, [("a", ":a"), ("#b", ":b"), ("e", ":e")]);
    }

    #[test]
    fn operators_are_counted_as_aws_does() {
        let count = |text, kind| operators(&tokens(text, kind), kind);
        assert_eq!(count("SET a = :a + :b + :c", ExpressionKind::Update), 2);
        assert_eq!(
            count("SET a = if_not_exists(a, :z)", ExpressionKind::Update),
            1
        );
        assert_eq!(
            count("a = :a AND b BETWEEN :b AND :c", ExpressionKind::Condition),
            3
        );
        assert_eq!(count("a, b", ExpressionKind::Projection), 0);
    }
}
