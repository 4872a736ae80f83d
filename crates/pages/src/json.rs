//! JSON over several lines.

/// The same JSON text with a line for each member and item. No value changes. Text that is not JSON
/// stays the same but for its spaces.
pub(crate) fn lines(json: &str) -> String {
    let mut lines = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut bytes = json.char_indices().peekable();
    let mut in_text = false;
    while let Some((_, letter)) = bytes.next() {
        if in_text {
            lines.push(letter);
            match letter {
                '\\' => lines.extend(bytes.next().map(|(_, escaped)| escaped)),
                '"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' => {
                in_text = true;
                lines.push(letter);
            }
            '{' | '[' => {
                lines.push(letter);
                while bytes
                    .next_if(|(_, next)| next.is_ascii_whitespace())
                    .is_some()
                {}
                // An empty one stays on its line.
                if let Some((_, end)) = bytes.next_if(|(_, next)| matches!(next, '}' | ']')) {
                    lines.push(end);
                } else {
                    depth += 1;
                    indent(&mut lines, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                indent(&mut lines, depth);
                lines.push(letter);
            }
            ',' => {
                lines.push(letter);
                indent(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => lines.push(other),
        }
    }
    lines
}

fn indent(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_a_line_and_does_not_change() {
        let json = r#"{ "a":1.50,"b" : [ ], "c":["x{\",:", {}],"d":{"e":null}}"#;
        let expected = "{\n  \"a\": 1.50,\n  \"b\": [],\n  \"c\": [\n    \"x{\\\",:\",\n    {}\n  ],\n  \"d\": {\n    \"e\": null\n  }\n}";
        assert_eq!(lines(json), expected);
        assert_eq!(lines(""), "");
        assert_eq!(lines("]}\""), "\n]\n}\"");
    }
}
