//! Update expressions, in the forms that the stores of the portal's data use.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Applies the update of a call to an item.
pub(super) fn apply(item: &mut Value, call: &Value) -> Result<()> {
    let text = call["UpdateExpression"].as_str();
    let mut clause = "";
    for part in parts(text.context("no update")?) {
        for word in clauses(part) {
            match word {
                Word::Clause(name) => clause = name,
                Word::Change(change) => change_one(item, call, clause, change)
                    .with_context(|| format!("the stub does not know `{clause} {change}`"))?,
            }
        }
    }
    Ok(())
}

/// Splits an expression at its commas, except those between parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_end = |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(is_end).map(str::trim).collect()
}

enum Word<'a> {
    Clause(&'static str),
    Change(&'a str),
}

/// Splits a part between commas at the names of clauses.
fn clauses(part: &str) -> Vec<Word<'_>> {
    const CLAUSES: [&str; 3] = ["SET ", "REMOVE ", "ADD "];
    let begins = (0..part.len()).filter_map(|at| {
        let is_word = at == 0 || part[..at].ends_with(' ');
        let clause = CLAUSES
            .iter()
            .find(|clause| part[at..].starts_with(**clause));
        clause.filter(|_| is_word).map(|clause| (at, *clause))
    });
    let mut words = Vec::new();
    let mut from = 0;
    for (at, clause) in begins {
        words.push(Word::Change(part[from..at].trim()));
        words.push(Word::Clause(clause.trim()));
        from = at + clause.len();
    }
    words.push(Word::Change(part[from..].trim()));
    words.retain(|word| !matches!(word, Word::Change("")));
    words
}

fn change_one(item: &mut Value, call: &Value, clause: &str, change: &str) -> Result<()> {
    let attribute = |name: &str| {
        let named = call["ExpressionAttributeNames"][name].as_str();
        named.unwrap_or(name).to_owned()
    };
    let value = |item: &Value, name: &str| {
        let value = match name.strip_prefix(':') {
            Some(_) => call["ExpressionAttributeValues"].get(name),
            None => item.get(attribute(name)),
        };
        value.cloned().with_context(|| format!("no `{name}`"))
    };
    match clause {
        "SET" => {
            let (name, from) = change.split_once(" = ").context("no assignment")?;
            let otherwise = from.strip_prefix("if_not_exists(");
            let otherwise = otherwise.and_then(|rest| rest.strip_suffix(')'));
            let new = match otherwise.and_then(|rest| rest.split_once(", ")) {
                Some((present, absent)) => value(item, present).or_else(|_| value(item, absent))?,
                None => value(item, from)?,
            };
            item[attribute(name)] = new;
        }
        "REMOVE" => {
            let item = item.as_object_mut().context("no item")?;
            item.remove(&attribute(change));
        }
        "ADD" => {
            let (name, added) = change.split_once(' ').context("no addition")?;
            let number = |value: &Value| value["N"].as_str().and_then(|n| n.parse::<i64>().ok());
            let added = number(&value(item, added)?).context("no number")?;
            let name = attribute(name);
            let sum = item.get(&name).and_then(number).unwrap_or(0) + added;
            item[name] = json!({"N": sum.to_string()});
        }
        _ => bail!("no clause"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_set_copied_removed_and_added_to() {
        let mut item = json!({"endsAt": {"N": "7"}, "code": {"S": "x"}, "n": {"N": "2"}});
        let names = json!({"#m": "m"});
        let call = json!({
            "UpdateExpression": "SET token = :t, expiresAt = endsAt, endsAt = if_not_exists(endsAt, :two), \
                a = if_not_exists(a, :t) REMOVE code ADD n :two, #m :two",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":t": {"S": "y"}, ":two": {"N": "2"}},
        });
        apply(&mut item, &call).unwrap();
        let expected = json!({
            "endsAt": {"N": "7"}, "expiresAt": {"N": "7"}, "token": {"S": "y"}, "a": {"S": "y"},
            "n": {"N": "4"}, "m": {"N": "2"},
        });
        assert_eq!(item, expected);
    }

    #[test]
    fn an_expression_that_is_not_known_is_an_error() {
        for text in ["SET a = a + :v", "DELETE a :v", "SET a = b"] {
            let call = json!({
                "UpdateExpression": text,
                "ExpressionAttributeValues": {":v": {"N": "1"}},
            });
            apply(&mut json!({}), &call).unwrap_err();
        }
    }
}
