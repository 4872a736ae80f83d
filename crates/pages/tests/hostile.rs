//! Text that others wrote adds nothing to a page but text.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

mod samples;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;
use webhooks_domain::text::is_harmful;

/// The document that a browser builds from a page.
#[derive(Default)]
struct Parsed {
    /// Each element with the names of its attributes, in order.
    elements: Vec<String>,
    /// The values of attributes that are URLs.
    urls: Vec<String>,
    /// All text, and the values of attributes, but what a form sends back.
    shown: Vec<String>,
    /// The text in scripts and styles, which would run.
    active: String,
}

fn parse(html: &str) -> Parsed {
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
    let mut parsed = Parsed::default();
    walk(&dom.document, "", &mut parsed);
    parsed
}

fn walk(node: &Handle, parent: &str, parsed: &mut Parsed) {
    let mut name = String::new();
    match &node.data {
        NodeData::Element {
            name: element,
            attrs,
            ..
        } => {
            name = element.local.to_string();
            let mut form = name.clone();
            for attribute in attrs.borrow().iter() {
                let (key, value) = (&*attribute.name.local, attribute.value.to_string());
                form.push(' ');
                form.push_str(key);
                if ["href", "src", "action", "formaction"].contains(&key) {
                    parsed.urls.push(value.clone());
                }
                if key != "value" {
                    parsed.shown.push(value);
                }
            }
            parsed.elements.push(form);
        }
        NodeData::Text { contents } => {
            let text = contents.borrow().to_string();
            if ["script", "style"].contains(&parent) {
                parsed.active.push_str(&text);
            }
            if parent != "textarea" {
                parsed.shown.push(text);
            }
        }
        NodeData::Comment { .. } => parsed.elements.push("comment".to_owned()),
        _ => {}
    }
    for child in node.children.borrow().iter() {
        walk(child, &name, parsed);
    }
}

fn check(text: &str) {
    // A text that is as little a time or a number as the hostile one.
    let plain = samples::pages(&|_| "plain".to_owned(), &samples::ALL);
    let hostile = samples::pages(&|_| text.to_owned(), &samples::ALL);
    for ((name, plain), (_, hostile)) in plain.iter().zip(&hostile) {
        let (plain, hostile) = (parse(plain), parse(hostile));
        assert_eq!(plain.elements, hostile.elements, "{name}: {text:?}");
        assert_eq!(hostile.active, "", "{name}: {text:?}");
        for url in &hostile.urls {
            let is_path = url.starts_with('/') && !url.starts_with("//");
            let is_safe = ["#", "https://", "mailto:"]
                .iter()
                .any(|start| url.starts_with(start));
            assert!(is_path || is_safe, "{name}: {url}");
        }
        for shown in &hostile.shown {
            let harmful = |letter| !matches!(letter, '\n' | '\t') && is_harmful(letter);
            assert!(!shown.contains(harmful), "{name}: {shown:?}");
        }
        for element in &hostile.elements {
            let attributes: Vec<_> = element.split(' ').skip(1).collect();
            let runs = |name: &&str| name.starts_with("on") || *name == "style";
            assert!(!attributes.iter().any(runs), "{name}: {element}");
        }
    }
}

/// Pieces of text that mean something in HTML, in a URL or in a script.
const PIECES: [&str; 22] = [
    "<script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "</pre></code></bdi></main>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "\"><svg onload=alert(1)>",
    "javascript:alert(1)",
    " \u{1}javascript:alert(1)",
    "data:text/html,<script>",
    "//evil.example/",
    "\\\\evil.example",
    "<!--",
    "]]>",
    "&lt;b&gt;&#60;&quot;",
    "\u{202e}gpj.exe\u{2066}",
    "\u{0}\u{8}\u{1b}[2J\u{7f}\u{9b}",
    "\u{feff}\u{200b}\u{e0041}",
    "\r\nx: y",
    "{{7*7}}${7*7}",
    "../../../x?y#z",
    "=cmd|' /C calc'!A0",
];

#[test]
fn each_hostile_text_is_only_text() {
    for piece in PIECES {
        check(piece);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn hostile_text_is_only_text(
        pieces in prop::collection::vec(
            prop_oneof![prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned), ".{1,12}"],
            1..4,
        ),
    ) {
        check(&pieces.concat());
    }
}
