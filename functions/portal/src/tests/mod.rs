//! The portal on the in-memory backend, with the events that Lambda sends.

mod api;
mod catalogue;
mod console;
mod costs;
mod entering;
mod forgery;
mod framed;
mod headers;
mod hiding;
mod limits;
mod managing;
mod reading;
mod recovering;
mod refusing;
mod resending;
mod tenancy;

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use lambda_http::Body;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{LOCATION, SET_COOKIE};
use lambda_http::request::LambdaRequest;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use webhooks_domain::portal_session::{
    Audience, Capabilities, Capability, PortalToken, ReturnUrl, SessionDuration,
};
use webhooks_domain::portal_sessions::{CreatedSession, PortalSessions, WantedSession};
use webhooks_lambda::{Config, Environment, PortalConfig, Switch};
use webhooks_sqs::QueueDepth;
use webhooks_testkit::{InMemoryBackend, samples};

use self::api::PlannedApi;
use crate::answer::Answer;
use crate::api::{Failure, ScopedApi};
use crate::console::{CountMessages, Queues};
use crate::data::Services;
use crate::router::Portal;
use crate::settings::Settings;

/// The name of the Function URL.
const HOST: &str = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws";
const ORIGIN: &str = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws";
const RETURN: &str = "https://app.example/webhooks?a=1";

const LIMITS: &str = "tests=99,endpoints=99,resends=99,recoveries=99,counts=99";

/// A portal with a backend.
struct Stage {
    backend: InMemoryBackend,
    api: PlannedApi,
    portal: Portal<InMemoryBackend, InMemoryBackend, InMemoryBackend, InMemoryBackend>,
}

impl Stage {
    fn new() -> Self {
        Self::with([])
    }

    /// With other values of these variables.
    fn with<const N: usize>(changed: [(&str, &str); N]) -> Self {
        let variables = [
            ("TABLE_NAME", "table"),
            ("DELIVERY_QUEUE_URL", "queue"),
            ("SLOW_DELIVERY_QUEUE_URL", "slow"),
            ("DELIVERY_DEAD_LETTER_QUEUE_URL", "dead"),
            ("FAILED_EVENTS_QUEUE_URL", "failed"),
            ("RULE_DEAD_LETTER_QUEUE_URL", "rule"),
            ("RECOVERY_STATE_MACHINE_ARN", "arn"),
            ("LAMBDA_ENDPOINT", "https://lambda.example"),
            ("API_FUNCTION_NAME", "api"),
            ("REQUEST_TIMEOUT_SECONDS", "10"),
            ("RETENTION_DAYS", "90"),
            ("STATISTICS", "Enabled"),
            ("PORTAL_FRAME_ANCESTORS", "'none'"),
            ("PORTAL_DAILY_LIMITS", LIMITS),
            ("PORTAL_RETURN_URLS", "https://app.example"),
        ];
        let environment: Environment = variables.into_iter().chain(changed).collect();
        let config = PortalConfig::from_environment(&environment).unwrap();
        let backend = InMemoryBackend::default();
        let queues = Queues::new(Box::new(Counts), &config);
        let daily_limits = config.daily_limits;
        let settings = Settings::new(config).unwrap();
        let services = Services {
            table: backend.clone(),
            queue: backend.clone(),
            workflow: backend.clone(),
            clock: backend.clone(),
            statistics: Switch::Enabled,
            retention: Duration::from_hours(24),
            daily_limits,
            time_of_test: Duration::from_secs(29),
        };
        let api = PlannedApi::default();
        let portal = Portal::new(services, queues, ScopedApi(Box::new(api.clone())), settings);
        Self {
            backend,
            api,
            portal,
        }
    }

    /// A new session, as the API makes it.
    fn session(&self, customer: &str, capabilities: &[Capability]) -> CreatedSession {
        self.session_with(customer, capabilities, None)
    }

    fn session_with(
        &self,
        customer: &str,
        capabilities: &[Capability],
        return_url: Option<&str>,
    ) -> CreatedSession {
        let sessions = self.sessions();
        let wanted = WantedSession {
            capabilities: Capabilities::new(capabilities.iter().copied()).unwrap(),
            duration: SessionDuration::try_from(600).unwrap(),
            return_url: return_url.map(|url| url.parse::<ReturnUrl>().unwrap()),
            created_by: None,
        };
        let customer = samples::customer(customer);
        let created = sessions.create(&customer, wanted);
        created.now_or_never().unwrap().unwrap()
    }

    /// The cookie of a new session of the console.
    fn support(&self, capabilities: &[Capability]) -> String {
        let created = self.support_session("jo@example.com", capabilities);
        let answer = self.enter(&created, None);
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), "/console");
        cookie(&answer, "__Host-webhooks").unwrap()
    }

    fn support_session(&self, actor: &str, capabilities: &[Capability]) -> CreatedSession {
        let sessions = self.sessions();
        let capabilities = Capabilities::new(capabilities.iter().copied()).unwrap();
        let created = sessions.create_for_support(
            actor.parse().unwrap(),
            capabilities,
            SessionDuration::try_from(600).unwrap(),
        );
        created.now_or_never().unwrap().unwrap()
    }

    fn sessions(&self) -> PortalSessions<InMemoryBackend, InMemoryBackend> {
        PortalSessions {
            table: self.backend.clone(),
            clock: self.backend.clone(),
            random: SystemRandom::new(),
        }
    }

    /// The cookie of a new session with every capability.
    fn visitor(&self, customer: &str) -> String {
        self.visitor_with(customer, &Capability::ALL)
    }

    fn visitor_with(&self, customer: &str, capabilities: &[Capability]) -> String {
        let created = self.session(customer, capabilities);
        let answer = self.enter(&created, None);
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        cookie(&answer, "__Host-webhooks").unwrap()
    }

    /// Uses the link of a session, which a page of the operator's has, or for the console the page
    /// that asks.
    fn enter(&self, created: &CreatedSession, cookie: Option<&str>) -> Answer {
        let open = match created.code.audience() {
            Audience::Customer(_) => "yes",
            Audience::Console => "console",
        };
        let form = format!("code={}&open={open}", created.code.expose());
        self.send(&post("/session", &form, cookie))
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(&get(path, Some(cookie)))
    }

    /// Answers an event as the function does.
    fn send(&self, event: &Value) -> Answer {
        let mut event: LambdaRequest = serde_json::from_value(event.clone()).unwrap();
        if webhooks_function_url::check(&mut event).is_err() {
            let request = webhooks_function_url::harmless().into();
            return self.portal.refuse_malformed(&request);
        }
        let request = event.into();
        self.portal.answer(&request).now_or_never().unwrap()
    }

    /// Returns true if a session is open.
    fn is_open(&self, cookie: &str) -> bool {
        let (_, token) = cookie.split_once('=').unwrap();
        let token: PortalToken = token.parse().unwrap();
        let checked = self.portal.access.check(token).now_or_never().unwrap();
        checked.unwrap().is_some()
    }

    fn later(&self, time: Duration) {
        self.backend.set_now(self.backend.time() + time);
    }
}

/// Counts the messages of queues: those of dead letters have three, and one queue does not answer.
struct Counts;

impl CountMessages for Counts {
    fn count<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<QueueDepth, Failure>> {
        let depth = match url {
            "slow" => Err("no answer".into()),
            "dead" => Ok(QueueDepth {
                waiting: Some(3),
                ..QueueDepth::default()
            }),
            _ => Ok(QueueDepth {
                waiting: Some(0),
                ..QueueDepth::default()
            }),
        };
        ready(depth).boxed()
    }
}

/// The token of the forms of a session.
fn csrf(cookie: &str) -> String {
    let (_, token) = cookie.split_once('=').unwrap();
    let token: PortalToken = token.parse().unwrap();
    token.csrf().as_str().to_owned()
}

/// An event of a Function URL, as AWS documents it (payload format 2.0): the cookies are in an array.
fn event(method: &str, path: &str, query: &str, cookie: Option<&str>) -> Value {
    let cookies = cookie.map(|cookie| cookie.split("; ").collect::<Vec<_>>());
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "cookies": cookies.unwrap_or_default(),
        "headers": {"host": HOST, "x-forwarded-proto": "https"},
        "requestContext": {
            "domainName": HOST, "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1"},
        },
        "isBase64Encoded": false,
    })
}

fn get(path: &str, cookie: Option<&str>) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    event("GET", path, query, cookie)
}

/// A form from a page of the portal.
fn post(path: &str, form: &str, cookie: Option<&str>) -> Value {
    let mut event = event("POST", path, "", cookie);
    event["headers"]["origin"] = json!(ORIGIN);
    event["headers"]["content-type"] = json!("application/x-www-form-urlencoded");
    event["body"] = json!(form);
    event
}

/// `name=value` of a cookie that an answer sets. `None` if it removes it, or does not name it.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let mut set = set_cookies(answer).into_iter();
    let set = set.find(|set| set.starts_with(&format!("{name}=")))?;
    let (pair, attributes) = set.split_once(';').unwrap();
    (!attributes.contains("Max-Age=0;")).then(|| pair.to_owned())
}

/// The change that the next page says.
fn done(answer: &Answer) -> String {
    let set = cookie(answer, "__Host-webhooks-done").unwrap();
    set.split_once('=').unwrap().1.to_owned()
}

fn set_cookies(answer: &Answer) -> Vec<String> {
    let set = answer.headers().get_all(SET_COOKIE).iter();
    set.map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

fn location(answer: &Answer) -> &str {
    answer.headers()[LOCATION].to_str().unwrap()
}

fn text(answer: &Answer) -> &str {
    match answer.body() {
        Body::Text(text) => text,
        _ => "",
    }
}
