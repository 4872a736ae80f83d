//! Chooses the answer to a request, and stores the request.

use std::collections::BTreeMap;

use webhooks_domain::timestamp::Timestamp;
use webhooks_self_test::{MAX_REQUEST_BYTES, Recorded, Runs, TableError, parse_path};

use crate::url_event::{UrlAnswer, UrlEvent};

/// The headers that the self test needs. Others are not stored, since they are Lambda's own.
const KEPT_HEADERS: [&str; 5] = [
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Answers requests by the scripts of their runs.
pub(crate) struct Echo<R> {
    pub(crate) runs: R,
}

impl<R: Runs> Echo<R> {
    /// Answers a request. A malformed or too large request causes no call. A request of an
    /// unknown or ended run causes a read. Neither causes a write.
    pub(crate) async fn answer(
        &self,
        event: UrlEvent,
        now: Timestamp,
    ) -> Result<UrlAnswer, TableError> {
        let Some((id, step)) = parse_path(&event.raw_path) else {
            return Ok(UrlAnswer::not_found());
        };
        if event.request_context.http.method != "POST" || !event.raw_query_string.is_empty() {
            return Ok(UrlAnswer::not_found());
        }
        let headers: BTreeMap<String, String> = event
            .headers
            .iter()
            .filter(|(name, _)| KEPT_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let of_headers: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        let room = MAX_REQUEST_BYTES.checked_sub(of_headers);
        let Some(body) = room.and_then(|room| event.body(room)) else {
            return Ok(UrlAnswer::not_found());
        };
        let Some(run) = self.runs.run(&id).await? else {
            return Ok(UrlAnswer::not_found());
        };
        if run.ends_at <= now || run.script.answer(&step, 1).is_none() {
            return Ok(UrlAnswer::not_found());
        }
        let bytes = of_headers + body.len();
        let Some(number) = self.runs.count(&id, &step, bytes).await? else {
            return Ok(UrlAnswer::not_found());
        };
        let answer = run.script.answer(&step, number);
        let request = Recorded {
            step,
            number,
            headers,
            body,
            received_at: now,
        };
        self.runs.record(&id, run.ends_at, &request).await?;
        Ok(answer.map_or_else(UrlAnswer::not_found, UrlAnswer::from))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use webhooks_self_test::{Answer, MAX_RUN_BYTES, MAX_RUN_REQUESTS, Run, RunId, Script, Step};

    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    /// An in-memory table that counts its calls.
    struct InMemory {
        run: Run,
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        reads: u32,
        writes: u32,
        requests: u32,
        bytes: usize,
        recorded: Vec<Recorded>,
    }

    impl Runs for InMemory {
        async fn run(&self, id: &RunId) -> Result<Option<Run>, TableError> {
            self.state.lock().unwrap().reads += 1;
            Ok((id.as_str() == RUN).then(|| self.run.clone()))
        }

        async fn count(
            &self,
            _: &RunId,
            step: &Step,
            bytes: usize,
        ) -> Result<Option<u32>, TableError> {
            let mut state = self.state.lock().unwrap();
            if state.requests >= MAX_RUN_REQUESTS || state.bytes + bytes > MAX_RUN_BYTES {
                return Ok(None);
            }
            state.writes += 1;
            state.requests += 1;
            state.bytes += bytes;
            let earlier = state.recorded.iter().filter(|one| one.step == *step);
            Ok(Some(u32::try_from(earlier.count()).unwrap() + 1))
        }

        async fn record(
            &self,
            _: &RunId,
            _: Timestamp,
            request: &Recorded,
        ) -> Result<(), TableError> {
            let mut state = self.state.lock().unwrap();
            state.writes += 1;
            state.recorded.push(request.clone());
            Ok(())
        }
    }

    fn echo() -> Echo<InMemory> {
        let slow = Answer {
            status: 429,
            retry_after_seconds: Some(7),
        };
        let answers = vec![slow, Answer::status(410), Answer::ok()];
        Echo {
            runs: InMemory {
                run: Run {
                    script: Script::default().with("step".parse().unwrap(), answers),
                    ends_at: Timestamp::from_millis(NOW.as_millis() + 1),
                },
                state: Mutex::default(),
            },
        }
    }

    fn post(path: &str, body: &str) -> Value {
        json!({
            "version": "2.0", "rawPath": path, "rawQueryString": "",
            "headers": {
                "webhook-id": "msg_1", "content-type": "application/json",
                "x-forwarded-for": "192.0.2.1", "authorization": "secret",
            },
            "requestContext": {"http": {"method": "POST", "path": path}},
            "isBase64Encoded": false, "body": body,
        })
    }

    async fn answer(echo: &Echo<InMemory>, event: Value, now: Timestamp) -> Value {
        let event = serde_json::from_value(event).unwrap();
        let answer = echo.answer(event, now).await.unwrap();
        serde_json::to_value(answer).unwrap()
    }

    #[tokio::test]
    async fn a_known_step_is_answered_by_its_script_and_recorded() {
        let (echo, path) = (echo(), format!("/{RUN}/step"));
        let first = answer(&echo, post(&path, "{}"), NOW).await;
        assert_eq!(
            first,
            json!({"statusCode": 429, "headers": {"retry-after": "7"}, "body": ""})
        );
        for status in [410, 200, 200] {
            assert_eq!(
                answer(&echo, post(&path, "{}"), NOW).await["statusCode"],
                status
            );
        }
        let state = echo.runs.state.lock().unwrap();
        let numbers: Vec<_> = state.recorded.iter().map(|one| one.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        let kept: Vec<_> = state.recorded[0].headers.keys().collect();
        assert_eq!(kept, ["content-type", "webhook-id"]);
    }

    #[tokio::test]
    async fn a_body_in_base64_is_kept_as_its_bytes() {
        let echo = echo();
        let mut event = post(&format!("/{RUN}/step"), "AP8=");
        event["isBase64Encoded"] = json!(true);
        answer(&echo, event.clone(), NOW).await;
        assert_eq!(
            echo.runs.state.lock().unwrap().recorded[0].body,
            [0x00, 0xff]
        );
        event["body"] = json!("no base64!");
        assert_eq!(answer(&echo, event, NOW).await["statusCode"], 404);
        assert_eq!(echo.runs.state.lock().unwrap().recorded.len(), 1);
    }

    #[tokio::test]
    async fn a_malformed_or_too_large_request_costs_no_call() {
        let echo = echo();
        let right = format!("/{RUN}/step");
        let mut get = post(&right, "");
        get["requestContext"]["http"]["method"] = json!("GET");
        let mut query = post(&right, "");
        query["rawQueryString"] = json!("a=b");
        let mut heads = post(&right, "");
        heads["headers"]["webhook-signature"] = json!("x".repeat(MAX_REQUEST_BYTES));
        let mut encoded = post(&right, &"A".repeat(MAX_REQUEST_BYTES / 3 * 4 + 4));
        encoded["isBase64Encoded"] = json!(true);
        for event in [
            json!({}),
            post("/", ""),
            post("/.env", ""),
            post(&format!("/{RUN}/%73tep"), ""),
            post(&format!("/{RUN}/step/"), ""),
            post(&format!("/{}/step", RUN.to_uppercase()), ""),
            post(&right, &"x".repeat(MAX_REQUEST_BYTES + 1)),
            get,
            query,
            heads,
            encoded,
        ] {
            let answered = answer(&echo, event, NOW).await;
            assert_eq!(
                answered,
                json!({"statusCode": 404, "headers": {}, "body": ""})
            );
        }
        let state = echo.runs.state.lock().unwrap();
        assert_eq!((state.reads, state.writes), (0, 0));
    }

    #[tokio::test]
    async fn a_guess_an_expired_run_and_an_unknown_step_cost_a_read_and_no_write() {
        let echo = echo();
        let over = Timestamp::from_millis(NOW.as_millis() + 1);
        let guess = format!("/{}/step", "0".repeat(64));
        for (path, now) in [
            (guess, NOW),
            (format!("/{RUN}/other"), NOW),
            (format!("/{RUN}/step"), over),
        ] {
            let answered = answer(&echo, post(&path, "{}"), now).await;
            assert_eq!(
                answered,
                json!({"statusCode": 404, "headers": {}, "body": ""})
            );
        }
        let state = echo.runs.state.lock().unwrap();
        assert_eq!((state.reads, state.writes), (3, 0));
    }

    #[tokio::test]
    async fn a_run_keeps_so_many_bytes_and_requests_and_no_more() {
        let (echo, path) = (echo(), format!("/{RUN}/step"));
        let large = "x".repeat(MAX_REQUEST_BYTES - 100);
        let mut taken = 0;
        while answer(&echo, post(&path, &large), NOW).await["statusCode"] != 404 {
            taken += 1;
            assert!(taken < 100);
        }
        let state = echo.runs.state.lock().unwrap();
        assert!(state.bytes <= MAX_RUN_BYTES, "{}", state.bytes);
        assert_eq!(state.recorded.len(), taken);
    }
}
