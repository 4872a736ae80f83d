//! Sends requests to a listening endpoint as a stack does.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use webhooks_domain::ids::MessageId;
use webhooks_domain::signing::{Secret, signature_header};
use webhooks_receiver::{Answer, Receiver};

use super::*;
use crate::signature::Key;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"type":"order.created","data":{"n":1.50}}"#;

fn options(line: &[&str]) -> Listen {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        listen: Listen,
    }
    Line::try_parse_from([&["listen"], line].concat())
        .unwrap()
        .listen
}

/// Starts an endpoint. Returns its address and the channel of its requests.
async fn listening(line: &[&str], keys: &[&str]) -> (String, mpsc::Receiver<Heard>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heard, next) = mpsc::channel(BACKLOG);
    let keys = keys
        .iter()
        .map(|key| Key::parse(&key.parse().unwrap()).unwrap());
    let endpoint = Endpoint::new(options(line).behaviour(), keys.collect(), heard);
    tokio::spawn(server::serve(listener, endpoint));
    (address, next)
}

/// Sends a signed request.
async fn post(address: &str, path: &str) -> (u16, String) {
    let id = MessageId::from_event_id(&"acme".parse().unwrap(), "e");
    let secrets: [Secret; 1] = [SECRET.parse().unwrap()];
    let now = arrived();
    let request = Request::post(path)
        .header("host", address)
        .header("webhook-id", id.to_string())
        .header("webhook-timestamp", now.as_secs().to_string())
        .header(
            "webhook-signature",
            signature_header(&secrets, &id, now, BODY.as_bytes()),
        )
        .body(Full::new(bytes::Bytes::from(BODY)))
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_is_verified_answered_and_shown() {
    let (address, mut heard) = listening(&[], &[SECRET]).await;
    assert_eq!(post(&address, "/any?x=1").await.0, 200);
    let heard = heard.recv().await.unwrap();
    assert!(heard.verdict.as_ref().unwrap().valid);
    let text = heard.text(Style::Plain);
    assert!(
        text.contains("POST /any?x=1  order.created  msg_"),
        "{text}"
    );
    assert!(text.contains("valid: v1, signed 0s ago"), "{text}");
    assert!(text.contains("        \"n\": 1.50\n"), "{text}");
    let json = serde_json::to_value(&heard).unwrap();
    assert_eq!(json["verdict"]["valid"], true);
    assert_eq!(json["body"], BODY);
}

#[tokio::test]
async fn a_wrong_secret_is_reported_and_without_a_secret_nothing_is_checked() {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let (address, mut heard) = listening(&[], &[other]).await;
    post(&address, "/").await;
    let text = heard.recv().await.unwrap().text(Style::Plain);
    assert!(text.contains("NOT VALID: no signature is valid"), "{text}");
    let (address, mut heard) = listening(&[], &[]).await;
    post(&address, "/").await;
    assert!(heard.recv().await.unwrap().verdict.is_none());
}

#[tokio::test]
async fn it_misbehaves_as_asked() {
    let statuses = async |line: &[&str]| {
        let (address, _heard) = listening(line, &[]).await;
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(post(&address, "/").await.0);
        }
        statuses
    };
    assert_eq!(statuses(&["--status", "503"]).await, [503, 503, 503]);
    assert_eq!(statuses(&["--fail-first", "2"]).await, [500, 500, 200]);
    assert_eq!(
        statuses(&["--fail-first", "1", "--status", "429"]).await,
        [429, 200, 200]
    );
}

#[tokio::test]
async fn an_answer_may_come_later() {
    let (address, _heard) = listening(&["--delay", "150ms"], &[]).await;
    let started = std::time::Instant::now();
    post(&address, "/").await;
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_request_is_passed_on_as_it_came() {
    let other = Receiver::start().await.unwrap();
    let answer = Answer::status(StatusCode::CREATED).with_body("thank you");
    other.script("/hook", [answer]);
    let url = other.url("/hook");
    let (address, mut heard) = listening(&["--forward", &url, "--fail-first", "1"], &[]).await;
    assert_eq!(post(&address, "/a").await.0, 500);
    assert_eq!(post(&address, "/a").await, (201, "thank you".to_owned()));
    let forwarded = other.requests();
    assert_eq!(forwarded.len(), 1);
    assert_eq!(forwarded[0].body, BODY);
    forwarded[0].verify(SECRET).unwrap();
    heard.recv().await.unwrap();
    assert_eq!(heard.recv().await.unwrap().answered, 201);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_a_bad_gateway() {
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}/");
    let (address, mut heard) = listening(&["--forward", &url], &[]).await;
    assert_eq!(post(&address, "/").await.0, 502);
    let heard = heard.recv().await.unwrap();
    assert!(heard.forward_error.unwrap().contains("cannot connect"));
}

#[test]
fn only_a_local_url_is_forwarded_to_and_only_answers_are_statuses() {
    let target: Target = "http://localhost:3000".parse().unwrap();
    assert_eq!(target, "http://localhost:3000/".parse().unwrap());
    assert!(
        "https://example.com/"
            .parse::<Target>()
            .unwrap_err()
            .contains("http://")
    );
    assert!("localhost:3000".parse::<Target>().is_err());
    assert!(status("200").is_ok() && status("599").is_ok());
    for bad in ["100", "99", "600", "ok"] {
        assert!(status(bad).unwrap_err().contains("200 to 599"), "{bad}");
    }
}

#[test]
fn no_part_of_a_request_moves_a_terminal_or_forges_a_line() {
    let harmful = "\u{1b}[2J\u{9b}A\r\n\u{7f}\u{202e}\u{2028}\u{200b}";
    let foreign = |text: &str| format!("{text}{harmful}forged");
    let body = serde_json::json!({"type": foreign("order"), "text": foreign("x")});
    let heard = |body: String| Heard {
        at: foreign("now"),
        method: foreign("POST"),
        path: foreign("/"),
        headers: vec![("webhook-id".to_owned(), foreign("msg_1"))],
        body,
        verdict: None,
        answered: 502,
        forward_error: Some(foreign("no")),
    };
    for body in [
        body.to_string(),
        foreign("no JSON").replace(['\r', '\n'], ""),
    ] {
        let text = heard(body).text(Style::Plain);
        let is_harmful = |letter| letter != '\n' && crate::terminal::is_harmful(letter);
        assert!(!text.contains(is_harmful), "{text:?}");
        let forged = text.lines().any(|line| line.starts_with("forged"));
        assert!(!forged, "{text:?}");
    }
}
