//! A path into an event, in the syntax of `EventBridge`'s input transformer.

use super::path_tree::Step;

/// The longest path, in bytes.
pub(super) const MAX_BYTES: usize = 256;

/// The steps of `$.detail.lines[0].sku`.
///
/// # Errors
/// The problem, in words.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    if path.len() > MAX_BYTES {
        return Err(format!(
            "must be at most {MAX_BYTES} bytes, is {}",
            path.len()
        ));
    }
    let mut rest = path
        .strip_prefix('$')
        .ok_or("must begin with `$`, as in `$.detail.total`")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(after) = rest.strip_prefix('.') {
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
            let end = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if name.is_empty() {
                return Err(
                    "must have a name of letters, digits, `-`, `_` and `/` after each `.`".into(),
                );
            }
            (Step::Member(name.to_owned()), after)
        } else if let Some((index, after)) = rest
            .strip_prefix('[')
            .and_then(|after| after.split_once(']'))
            .filter(|(index, _)| index.bytes().all(|digit| digit.is_ascii_digit()))
        {
            let index = index
                .parse()
                .map_err(|_| "must have a whole number in `[…]`")?;
            (Step::Element(index), after)
        } else {
            return Err("must have names after `.` and whole numbers in `[…]` only".into());
        };
        steps.push(step);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_whole_numbers_are_steps() {
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(parse("$"), Ok(vec![]));
        assert_eq!(parse("$.detail-type"), Ok(vec![member("detail-type")]));
        assert_eq!(
            parse("$.detail.a_b[10].0"),
            Ok(vec![
                member("detail"),
                member("a_b"),
                Step::Element(10),
                member("0")
            ])
        );
    }

    #[test]
    fn other_paths_are_refused() {
        let long = format!("$.{}", "a".repeat(MAX_BYTES));
        for path in [
            "",
            "detail",
            "$detail",
            "$.",
            "$..a",
            "$.a.",
            "$.a[*]",
            "$.*",
            "$['a']",
            "$.a[-1]",
            "$.a[]",
            "$.a[1",
            "$.a[99999999999999999999]",
            "$.a b",
            "$.ä",
            "$.a[?(@.b)]",
            "$.a\n",
            &long,
        ] {
            assert!(parse(path).is_err(), "{path}");
        }
    }
}
