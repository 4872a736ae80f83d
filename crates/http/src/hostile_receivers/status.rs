//! Statuses.

use webhooks_domain::outbound::{AttemptOutcome, ResponseBody};

use super::receiver::{OK, Receiver};
use super::send;

#[tokio::test]
async fn only_200_to_299_succeeds() {
    for status in [
        200, 201, 202, 204, 299, 304, 400, 401, 404, 410, 418, 429, 500, 503, 599, 999,
    ] {
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n");
        let response = send(&Receiver::answering(head)).await;
        let succeeded = (200..300).contains(&status);
        let outcome = if succeeded {
            AttemptOutcome::Succeeded
        } else {
            AttemptOutcome::HttpError
        };
        assert_eq!((response.outcome, response.status), (outcome, Some(status)));
        assert_eq!(
            (response.error, response.body),
            (None, ResponseBody::default())
        );
    }
}

#[tokio::test]
async fn no_redirect_is_followed_wherever_it_leads() {
    let elsewhere = Receiver::answering(OK);
    for status in [300, 301, 302, 303, 305, 306, 307, 308] {
        for location in [
            elsewhere.url().as_str(),
            "http://169.254.169.254/",
            "https://10.0.0.1/",
            "http://[::1]/",
            "file:///etc/passwd",
            "/again",
            "//x",
            "",
        ] {
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 4\r\n\r\ngone"
            );
            let receiver = Receiver::answering(head);
            let response = send(&receiver).await;
            assert_eq!(
                (response.outcome, response.status),
                (AttemptOutcome::HttpError, Some(status))
            );
            assert_eq!(response.body.text, "gone");
            assert_eq!(receiver.connections(), 1);
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_passed_on_as_it_came_when_it_is_short_text() {
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    let long = "9".repeat(65);
    for (value, expected) in [
        ("120", Some("120")),
        (date, Some(date)),
        ("soon", Some("soon")),
        (&long[..64], Some(&long[..64])),
        (&long, None),
        ("\u{fc}", None),
    ] {
        let head =
            format!("HTTP/1.1 503 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(
            send(&Receiver::answering(head))
                .await
                .retry_after
                .as_deref(),
            expected
        );
    }
}
