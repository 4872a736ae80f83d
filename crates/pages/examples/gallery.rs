//! Writes every page with sample data to a folder, for `cargo xtask test --only browser`:
//! `NAME.html` for each page, the assets under their paths, and `policy` with the content security
//! policy.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a developer's program with the samples of the tests"
)]

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::fs;
use std::path::Path;

use webhooks_pages::assets::ASSETS;
use webhooks_pages::brand::Brand;
use webhooks_pages::csp::content_security_policy;
use webhooks_pages::paths::Route;

fn main() {
    let folder = std::env::args()
        .nth(1)
        .expect("the first argument is a folder");
    let folder = Path::new(&folder);
    let write = |path: &str, bytes: &[u8]| {
        let file = folder.join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    };
    for (name, html) in samples::pages(&str::to_owned, &samples::ALL) {
        write(&format!("{name}.html"), html.as_bytes());
    }
    for asset in ASSETS {
        write(asset.path, asset.bytes);
    }
    let brand = Brand::default();
    write(&Route::BrandStyle.path(), brand.stylesheet().as_bytes());
    write(
        "policy",
        content_security_policy(&brand, "'none'").as_bytes(),
    );
}
