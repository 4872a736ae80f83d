//! The modules of this crate use each other in one direction.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Every module, by layer (a folder of `src`). A module may use only modules that are listed before
/// it.
const LAYERS: [(&str, &[&str]); 3] = [
    // Types, and pure decisions on them.
    (
        "model",
        &[
            "contact",
            "data_key",
            "errors",
            "event_type",
            "gzip",
            "members",
            "metadata",
            "payload_format",
            "queue",
            "text",
            "timestamp",
            "retention",
            "fields",
            "ids",
            "payload_shape",
            "portal_session",
            "limits",
            "outbound",
            "retry",
            "broken",
            "due",
            "filter",
            "health",
            "idempotency",
            "message",
            "operational",
            "signing",
            "delivery",
            "event",
            "subscription",
            "paging",
            "prepare",
            "quota",
            "catalogue",
            "customer",
            "recovery",
            "statistics",
        ],
    ),
    // The traits that adapters implement.
    ("ports", &["ports"]),
    // Each one reads through ports, decides, and writes through ports.
    (
        "use_cases",
        &[
            "limiter",
            "read_subscription",
            "read_shape",
            "read_delivery",
            "vault",
            "deliver",
            "publish",
            "count_attempts",
            "check_event",
            "look_up",
            "resend",
            "cancel",
            "send_test",
            "sweep",
            "lists",
            "manage",
            "unhealthy",
            "customers",
            "manage_catalogue",
            "portal_sessions",
            "portal_access",
            "portal_allowance",
            "delete_customers",
            "recover",
            "unavailable",
            "show_exchanges",
            "show_statistics",
        ],
    ),
];

/// The files that only declare modules.
const ROOTS: [&str; 3] = ["lib.rs", "model.rs", "use_cases.rs"];

#[test]
fn a_module_uses_only_modules_before_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut faults = Vec::new();
    for file in &files {
        let path = file.strip_prefix(&source).unwrap();
        if !ROOTS.iter().any(|root| path == Path::new(root)) {
            let tokens = fs::read_to_string(file).unwrap().parse().unwrap();
            faults.extend(faults_of(path, tokens));
        }
    }
    let expected: usize = LAYERS.iter().map(|(_, modules)| modules.len()).sum();
    assert!(files.len() > expected, "{} files", files.len());
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_use_in_the_wrong_direction_is_found() {
    let faults = |path: &str, source: &str| faults_of(Path::new(path), source.parse().unwrap());
    let port = faults("model/limits.rs", "use crate::ports::StoreError;");
    assert!(port[0].starts_with("model/limits.rs: uses `crate::ports`"));
    let source = "use crate::{ids::MessageId, deliver::Report as R, sweep};";
    assert_eq!(faults("ports/queue.rs", source).len(), 2);
    let inline = "fn f() { if true { crate::deliver::g() } }";
    assert_eq!(faults("model/delivery/task.rs", inline).len(), 1);
    for around in [
        "use super::vault::Vault;",
        "use crate::model::ids::MessageId;",
    ] {
        assert_eq!(faults("use_cases/deliver.rs", around).len(), 1, "{around}");
    }
    let within = "use super::report; use crate::ids; mod inner { use super::super::report; }";
    assert_eq!(faults("use_cases/deliver/admit.rs", within), [""; 0]);
    let test = "/// [`crate::deliver`]\n #[cfg(test)] mod tests { use crate::deliver::Report; }";
    assert_eq!(faults("model/ids.rs", test), [""; 0]);
    assert_eq!(faults("model/lost.rs", "").len(), 1);
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The rank of a module in the declared order.
fn rank(module: &str) -> Option<usize> {
    let mut all = LAYERS.iter().flat_map(|(_, modules)| *modules);
    all.position(|known| *known == module)
}

/// The faults of a file with this path below `src`.
fn faults_of(path: &Path, tokens: TokenStream) -> Vec<String> {
    let name = path.display();
    let path = path.with_extension("");
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let (module, depth) = match parts[..] {
        ["ports", ..] => ("ports", parts.len() - 1),
        [_, module, ..] => (module, parts.len() - 2),
        _ => (parts[0], 0),
    };
    let layer = LAYERS.iter().find(|(layer, _)| *layer == parts[0]);
    let Some(own) = rank(module).filter(|_| layer.is_some_and(|(_, all)| all.contains(&module)))
    else {
        return vec![format!(
            "{name}: module `{module}` is not declared in its layer, see LAYERS"
        )];
    };
    let mut faults = Vec::new();
    for used in modules_used(tokens, depth) {
        let rule = match rank(&used) {
            Some(rank) if rank <= own => continue,
            Some(_) => "comes after it in LAYERS: a module uses only those before it",
            None => "must be named as `crate::module`, without its folder",
        };
        faults.push(format!("{name}: uses `crate::{used}`, which {rule}"));
    }
    faults
}

/// The modules that a file names after `crate::`, and `super` for each `super::` that leads out of
/// the module, if the file is `depth` levels deep in it. Test modules are ignored.
fn modules_used(tokens: TokenStream, depth: usize) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |index: usize, text: &str| {
        tokens
            .get(index)
            .is_some_and(|token| token.to_string() == text)
    };
    let mut used = Vec::new();
    let (mut is_test, mut index) = (false, 0);
    while let Some(token) = tokens.get(index) {
        index += 1;
        match token {
            TokenTree::Group(group) if group.to_string() == "[cfg (test)]" => is_test = true,
            TokenTree::Group(group) => {
                let is_module = index >= 3 && is(index - 3, "mod");
                let is_body = group.delimiter() == Delimiter::Brace;
                let is_test_module = is_module && is_test;
                is_test &= !is_body;
                if !is_test_module {
                    let depth = depth + usize::from(is_module);
                    used.extend(modules_used(group.stream(), depth));
                }
            }
            TokenTree::Ident(word) if word == "crate" && is(index, ":") => {
                match tokens.get(index + 2) {
                    Some(TokenTree::Group(group)) => used.extend(first_words(group.stream())),
                    Some(name) => used.push(name.to_string()),
                    None => {}
                }
            }
            TokenTree::Ident(word) if word == "super" && is(index, ":") => {
                let mut steps = 1;
                while is(index + 2, "super") {
                    index += 3;
                    steps += 1;
                }
                if steps > depth {
                    used.push("super".to_owned());
                }
            }
            TokenTree::Punct(end) if end.as_char() == ';' => is_test = false,
            _ => {}
        }
    }
    used
}

/// The first word of each path in `{a::b, c as d}`.
fn first_words(group: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    let mut is_first = true;
    for token in group {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => is_first = true,
            token if std::mem::take(&mut is_first) => words.push(token.to_string()),
            _ => {}
        }
    }
    words
}
