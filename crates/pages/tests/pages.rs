//! Laws of all pages.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

mod samples;

use samples::ALL;
use webhooks_api_types::{Page, Statistics, Subscription};
use webhooks_pages::assets::ASSETS;
use webhooks_pages::brand::Brand;
use webhooks_pages::frame::Capability;
use webhooks_pages::{deliveries, delivery, endpoints};

fn page(name: &str, capabilities: &[Capability]) -> String {
    let pages = samples::pages(&str::to_owned, capabilities);
    let found = pages.into_iter().find(|(page, _)| *page == name);
    found.unwrap().1
}

/// Snapshots of the pages that customers see most. A change of one is looked at.
#[test]
fn pages_look_as_they_did() {
    for name in ["endpoints", "delivery", "enter", "recovery-running"] {
        let html = page(name, &ALL);
        // One element a line, so that a difference is short. The hashes of assets change with them.
        let lines = html.replace("><", ">\n<");
        let lines = ASSETS.iter().fold(lines, |lines, asset| {
            let (start, rest) = asset.path.split_once('.').unwrap();
            let (_, end) = rest.split_once('.').unwrap();
            lines.replace(asset.path, &format!("{start}.HASH.{end}"))
        });
        insta::assert_snapshot!(name, lines);
    }
}

#[test]
fn a_session_shows_and_offers_only_its_capabilities() {
    let shown = |capabilities: &[Capability]| {
        let pages = samples::pages(&str::to_owned, capabilities);
        pages.into_iter().map(|(_, html)| html).collect::<String>()
    };
    let marks: [(Capability, &[&str]); 4] = [
        (
            Capability::Payloads,
            &[
                "&lt;b&gt;quick",
                "Service unavailable",
                "nginx",
                "retry-after",
                "***",
            ],
        ),
        (
            Capability::Manage,
            &[
                "/pause\"",
                "/enable\"",
                "/test\"",
                "endpoints/new\">",
                "/delete\"",
            ],
        ),
        (
            Capability::Secrets,
            &["whsec_SAMPLE", "whsk_SAMPLE", "/secrets\"", "/rotate\""],
        ),
        (
            Capability::Resend,
            &["/resend\"", "/stop\"", "/recoveries/count\"", ">Start<"],
        ),
    ];
    let all = shown(&ALL);
    for (capability, texts) in marks {
        let without: Vec<_> = ALL.into_iter().filter(|one| *one != capability).collect();
        let without = shown(&without);
        for text in texts {
            assert!(all.contains(text), "{text}");
            // The page of a deletion and of a form are reached by a link that is not there.
            let expected = ["endpoints/new\">", "/delete\""].contains(text);
            assert!(expected || !without.contains(text), "{text}");
        }
    }
}

#[test]
fn each_form_that_changes_something_sends_the_token() {
    for (name, html) in samples::pages(&str::to_owned, &ALL) {
        let forms = html.split("<form ").skip(1);
        for form in forms.filter(|form| form.contains("method=\"post\"")) {
            let is_without_session = form.starts_with("id=\"enter\"");
            let field = "><input type=\"hidden\" name=\"csrf\" value=\"csrf-token\">";
            assert!(is_without_session || form.contains(field), "{name}: {form}");
        }
        // The token leaves the portal in no URL.
        for link in html.split("href=\"").skip(1) {
            let link = link.split('"').next().unwrap();
            assert!(!link.contains("csrf-token"), "{name}: {link}");
        }
    }
}

/// The first visit loads a page and all files. The function serves pages of these sizes.
#[test]
fn a_first_visit_takes_at_most_60_kilobytes() {
    const MOST_BYTES: usize = 60_000;
    let files: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
    let files = files + Brand::default().stylesheet().len();
    for (name, html) in samples::pages(&str::to_owned, &ALL) {
        assert!(
            html.len() + files <= MOST_BYTES,
            "{name}: {}",
            html.len() + files
        );
    }
    for (name, html) in full_pages() {
        assert!(
            html.len() + files <= MOST_BYTES,
            "{name}: {}",
            html.len() + files
        );
    }
}

/// Lists with as many entries as a page has, and a delivery with ten long answers.
fn full_pages() -> Vec<(&'static str, String)> {
    let frame = samples::frame(&str::to_owned, &ALL);
    let data = samples::data(&str::to_owned);
    let size = usize::try_from(endpoints::PAGE_SIZE).unwrap();
    let subscription = || -> Subscription { data.subscriptions().remove(0) };
    let numbers = || -> Option<Statistics> { Some(data.statistics(false)) };
    let list = endpoints::Endpoints {
        customer: "cust_1001".to_owned(),
        statistics: (0..size).map(|_| numbers()).collect(),
        contacts: vec!["a".repeat(254); 5],
        page: Page {
            data: (0..size).map(|_| subscription()).collect(),
            next_cursor: None,
            broken: Vec::new(),
        },
    };
    let size = usize::try_from(deliveries::PAGE_SIZE).unwrap();
    let deliveries_list = deliveries::Deliveries {
        customer: "cust_1001".to_owned(),
        subscription: "sub_70e79b2df96dcca5a0a362236c8d86f4".to_owned(),
        url: "https://example.com/webhooks".to_owned(),
        query: data.deliveries_query(),
        problem: None,
        page: Page {
            data: data.deliveries().into_iter().cycle().take(size).collect(),
            next_cursor: None,
            broken: Vec::new(),
        },
    };
    let mut view = data.delivery(true);
    let mut attempt = view.delivery.delivery.attempts.remove(1);
    attempt.response.as_mut().unwrap().body = "<html>\"".repeat(2_000);
    view.delivery.delivery.attempts = vec![attempt; 10];
    view.delivery.body = Some("\"<&>\u{202e}".repeat(40_000));
    vec![
        ("endpoints", endpoints::page(&frame, &list)),
        ("deliveries", deliveries::page(&frame, &deliveries_list)),
        ("delivery", delivery::page(&frame, &view)),
    ]
}
