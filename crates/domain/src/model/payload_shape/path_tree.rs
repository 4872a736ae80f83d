//! Many paths into one JSON text, followed together in one pass.
//!
//! The time depends on the length of the text and, for members that are named more than once, on
//! the number of paths; not on the lengths of the paths. The stack depends on the longest path.

use std::collections::BTreeMap;

use super::reader::{Reader, unescaped};

/// A step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of an object.
    Member(String),
    /// The element of an array.
    Element(usize),
}

/// Paths, by their numbers.
#[derive(Debug)]
pub(super) struct PathTree {
    /// The first is the root.
    nodes: Vec<Node>,
    paths: usize,
}

#[derive(Debug, Default)]
struct Node {
    members: BTreeMap<String, usize>,
    elements: BTreeMap<usize, usize>,
    /// The paths that end here.
    ends: Vec<usize>,
    /// The paths that end here or further on.
    below: Vec<usize>,
}

impl PathTree {
    /// A tree of these paths. Each step of a path may be given in several forms.
    pub(super) fn new<P>(paths: impl IntoIterator<Item = P>) -> Self
    where
        P: IntoIterator,
        P::Item: IntoIterator<Item = Step>,
    {
        let mut tree = Self {
            nodes: vec![Node::default()],
            paths: 0,
        };
        for path in paths {
            let mut at = 0;
            tree.nodes[at].below.push(tree.paths);
            for forms in path {
                at = tree.child(at, forms);
                tree.nodes[at].below.push(tree.paths);
            }
            tree.nodes[at].ends.push(tree.paths);
            tree.paths += 1;
        }
        tree
    }

    fn child(&mut self, of: usize, forms: impl IntoIterator<Item = Step>) -> usize {
        let next = self.nodes.len();
        let mut child = None;
        for form in forms {
            let node = &mut self.nodes[of];
            let entry = match form {
                Step::Member(name) => node.members.entry(name).or_insert(child.unwrap_or(next)),
                Step::Element(index) => node.elements.entry(index).or_insert(child.unwrap_or(next)),
            };
            child = child.or(Some(*entry));
        }
        let child = child.unwrap_or(next);
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The text of the value at each path. If a member is named twice, the last counts.
    ///
    /// `None` if the text is not JSON.
    pub(super) fn values<'a>(&self, json: &'a str) -> Option<Vec<Option<&'a str>>> {
        let mut found = vec![None; self.paths];
        self.find(0, &mut Reader::new(json), &mut found)?;
        Some(found)
    }

    fn find<'a>(
        &self,
        node: usize,
        reader: &mut Reader<'a>,
        found: &mut [Option<&'a str>],
    ) -> Option<()> {
        let node = &self.nodes[node];
        let mut step = |child: Option<usize>, reader: &mut Reader<'a>| {
            let Some(child) = child else {
                return reader.value().map(drop);
            };
            for path in &self.nodes[child].below {
                found[*path] = None;
            }
            self.find(child, reader, found)
        };
        let text = reader.spanned(|reader| match reader.peek()? {
            b'{' if !node.members.is_empty() => {
                reader.members(|reader, name| step(node.member(name), reader))
            }
            b'[' if !node.elements.is_empty() => {
                reader.elements(|reader, index| step(node.element(index), reader))
            }
            _ => reader.value().map(drop),
        })?;
        for path in &node.ends {
            found[*path] = Some(text);
        }
        Some(())
    }

    /// The JSON text with nothing but the values at the paths, and what they are in. `None` if the
    /// text is not JSON, or if it has no such value.
    pub(super) fn keep(&self, json: &str) -> Option<String> {
        let mut kept = String::new();
        let has_any = self.copy(0, &mut Reader::new(json), &mut kept)?;
        has_any.then_some(kept)
    }

    /// Returns true if anything was copied.
    fn copy(&self, node: usize, reader: &mut Reader<'_>, to: &mut String) -> Option<bool> {
        let node = &self.nodes[node];
        let kind = reader.peek()?;
        if !node.ends.is_empty() {
            to.push_str(reader.value()?);
            return Some(true);
        }
        let close = match kind {
            b'{' => '}',
            b'[' => ']',
            _ => {
                reader.value()?;
                return Some(false);
            }
        };
        to.push(char::from(kind));
        let mut has_any = false;
        // Copies a member or an element, and takes its beginning back if nothing of it is kept.
        let mut step = |child: Option<usize>, name: &str, reader: &mut Reader<'_>| {
            let Some(child) = child else {
                return reader.value().map(drop);
            };
            let before = to.len();
            if has_any {
                to.push(',');
            }
            if !name.is_empty() {
                to.push_str(name);
                to.push(':');
            }
            if self.copy(child, reader, to)? {
                has_any = true;
            } else {
                to.truncate(before);
            }
            Some(())
        };
        if kind == b'{' {
            reader.members(|reader, name| step(node.member(name), name, reader))?;
        } else {
            reader.elements(|reader, index| step(node.element(index), "", reader))?;
        }
        to.push(close);
        Some(has_any)
    }
}

impl Node {
    fn member(&self, name: &str) -> Option<usize> {
        if self.members.is_empty() {
            return None;
        }
        self.members.get(&*unescaped(name)).copied()
    }

    fn element(&self, index: usize) -> Option<usize> {
        self.elements.get(&index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&[&str]]) -> PathTree {
        let forms = |step: &&str| {
            let element = step.parse().ok().map(Step::Element);
            [Step::Member((*step).to_owned())]
                .into_iter()
                .chain(element)
        };
        PathTree::new(paths.iter().map(|path| path.iter().map(forms)))
    }

    #[test]
    fn values_are_found_in_one_pass_as_they_are_written() {
        let json = r#"{ "a" : {"b":0.10,"c":[1e400, {"d":null}]}, "\u0061x":"\n" }"#;
        let paths = tree(&[
            &["a", "b"],
            &["a", "c", "0"],
            &["a", "c", "1", "d"],
            &["ax"],
            &["a", "c"],
            &["a", "b", "c"],
            &["none"],
            &[],
        ]);
        assert_eq!(
            paths.values(json).unwrap(),
            [
                Some("0.10"),
                Some("1e400"),
                Some("null"),
                Some(r#""\n""#),
                Some(r#"[1e400, {"d":null}]"#),
                None,
                None,
                Some(json),
            ]
        );
    }

    #[test]
    fn of_a_member_that_is_named_twice_the_last_counts() {
        let paths = tree(&[&["a"], &["a", "b"], &["a", "c"]]);
        let json = r#"{"a":{"b":1,"c":1},"a":{"b":2}}"#;
        let found = paths.values(json).unwrap();
        assert_eq!(found, [Some(r#"{"b":2}"#), Some("2"), None]);
    }

    #[test]
    fn only_the_named_parts_are_kept() {
        let kept = |paths: &[&[&str]], json| tree(paths).keep(json);
        let json = r#"{"a":{"b":1.0,"c":2},"d":[{"e":1,"f":2},{"e":3}],"g":7}"#;
        for (paths, expected) in [
            (
                &[&["a", "b"] as &[&str]] as &[&[&str]],
                r#"{"a":{"b":1.0}}"#,
            ),
            (&[&["a"], &["a", "b"]], r#"{"a":{"b":1.0,"c":2}}"#),
            (&[&["d", "1", "e"], &["g"]], r#"{"d":[{"e":3}],"g":7}"#),
            (
                &[&["d", "0", "f"], &["d", "1"]],
                r#"{"d":[{"f":2},{"e":3}]}"#,
            ),
            (
                &[&["g"], &["a", "none"], &["g", "x"], &["d", "9"]],
                r#"{"g":7}"#,
            ),
        ] {
            assert_eq!(kept(paths, json).as_deref(), Some(expected), "{paths:?}");
        }
        assert_eq!(kept(&[&["none"]], json), None);
        assert_eq!(kept(&[&["g", "x"]], json), None);
        assert_eq!(kept(&[&["0"]], r#"{"0":1}"#).as_deref(), Some(r#"{"0":1}"#));
        assert_eq!(kept(&[&["0"]], "[1,2]").as_deref(), Some("[1]"));
    }

    /// A walk for each path, or for each step, would read hundreds of megabytes.
    #[test]
    fn many_long_paths_cost_one_pass() {
        let depth = 120;
        let step = ["a"; 120];
        let paths: Vec<&[&str]> = (20..depth).map(|length| &step[..length]).collect();
        let wide = format!(r#""b":[{}0]"#, "0,".repeat(400_000));
        let mut json = format!("{{{wide}}}");
        for _ in 0..depth {
            json = format!(r#"{{"a":{json}}}"#);
        }
        let found = tree(&paths).values(&json).unwrap();
        assert!(found.iter().all(Option::is_some));
        let twice = r#""a":{},"#.repeat(100_000);
        let json = format!(r#"{{{twice}"b":0}}"#);
        let found = tree(&paths).values(&json).unwrap();
        assert!(found.iter().all(Option::is_none));
    }
}
