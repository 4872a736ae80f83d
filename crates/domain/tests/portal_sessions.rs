//! Sessions of the portal: the links that open them, and the tokens that keep them open.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::customers::{CustomerFields, Customers};
use webhooks_domain::ids::{CustomerId, PortalSessionId};
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::portal_access::{CheckedSession, MissingCapability, PortalAccess};
use webhooks_domain::portal_session::{
    Audience, Capabilities, Capability, PortalCode, PortalSession, PortalToken, SecretDigest,
    SessionDuration, SessionSecret,
};
use webhooks_domain::portal_sessions::{
    CreatedSession, PortalSessionError, PortalSessions, WantedSession,
};
use webhooks_domain::ports::{PortalAccessTable, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

struct Stage {
    backend: InMemoryBackend,
    sessions: PortalSessions<InMemoryBackend, InMemoryBackend>,
    access: PortalAccess<InMemoryBackend, InMemoryBackend>,
}

impl Stage {
    fn new() -> Self {
        let backend = InMemoryBackend::default();
        Self {
            sessions: PortalSessions {
                table: backend.clone(),
                clock: backend.clone(),
                random: SystemRandom::new(),
            },
            access: PortalAccess {
                table: backend.clone(),
                clock: backend.clone(),
                random: SystemRandom::new(),
            },
            backend,
        }
    }

    fn create(&self, customer: &str, seconds: u64) -> CreatedSession {
        let wanted = WantedSession {
            capabilities: Capabilities::new([Capability::Manage]).unwrap(),
            duration: SessionDuration::try_from(seconds).unwrap(),
            return_url: None,
            created_by: Some("arn:aws:iam::123456789012:role/backend".to_owned()),
        };
        let customer = id(customer);
        let created = self.sessions.create(&customer, wanted);
        created.now_or_never().unwrap().unwrap()
    }

    fn enter(&self, code: &PortalCode) -> Option<PortalToken> {
        let found = self.access.find(code.clone()).now_or_never().unwrap();
        let link = found.unwrap()?;
        let entered = self.access.enter(&link).now_or_never().unwrap().unwrap();
        entered.map(|(_, token)| token)
    }

    fn create_for_support(&self, actor: &str) -> CreatedSession {
        let capabilities = Capabilities::new([Capability::Manage]).unwrap();
        let duration = SessionDuration::default();
        let actor = actor.parse().unwrap();
        let created = self
            .sessions
            .create_for_support(actor, capabilities, duration);
        created.now_or_never().unwrap().unwrap()
    }

    fn check(&self, token: &PortalToken) -> Option<CheckedSession> {
        let checked = self.access.check(token.clone()).now_or_never().unwrap();
        checked.unwrap()
    }

    fn is_open(&self, token: &PortalToken) -> bool {
        self.check(token).is_some()
    }

    fn later(&self, time: Duration) {
        self.backend.set_now(self.backend.time() + time);
    }
}

fn id(customer: &str) -> CustomerId {
    customer.parse().unwrap()
}

#[test]
fn a_session_gives_access_to_its_customer_until_its_end() {
    let stage = Stage::new();
    let created = stage.create("acme", 600);
    let token = stage.enter(&created.code).unwrap();
    let checked = stage.check(&token).unwrap();
    assert!(checked.accepts_csrf(checked.csrf().as_str()));
    let access = checked.of_customer(&id("acme")).unwrap();
    assert_eq!(*access.scope.customer(), id("acme"));
    assert_eq!(access.scope.actor(), None);
    assert_eq!(access.scope.require(Capability::Manage), Ok(()));
    let missing = Err(MissingCapability(Capability::Secrets));
    assert_eq!(access.scope.require(Capability::Secrets), missing);

    stage.later(Duration::from_secs(599));
    assert!(stage.is_open(&token));
    stage.later(Duration::from_secs(1));
    assert!(!stage.is_open(&token));
}

#[test]
fn a_session_of_a_customer_opens_no_other_customer_and_no_console() {
    let stage = Stage::new();
    let token = stage.enter(&stage.create("acme", 600).code).unwrap();
    assert!(stage.check(&token).unwrap().of_console().is_none());
    assert!(
        stage
            .check(&token)
            .unwrap()
            .of_customer(&id("bolt"))
            .is_none()
    );
}

#[test]
fn a_session_of_the_console_opens_every_customer_under_the_name_of_its_actor() {
    let stage = Stage::new();
    let created = stage.create_for_support("jo@example.com");
    let token = stage.enter(&created.code).unwrap();
    let console = stage.check(&token).unwrap().of_console().unwrap();
    assert_eq!(console.require(Capability::Manage), Ok(()));
    let missing = Err(MissingCapability(Capability::Secrets));
    assert_eq!(console.require(Capability::Secrets), missing);
    for customer in ["acme", "bolt"] {
        let access = stage.check(&token).unwrap().of_customer(&id(customer));
        let scope = access.unwrap().scope;
        assert_eq!(*scope.customer(), id(customer));
        assert_eq!(scope.actor().unwrap().as_str(), "jo@example.com");
        assert_eq!(scope.require(Capability::Secrets), missing);
    }
    let revoked = stage.sessions.revoke_all(&Audience::Console);
    revoked.now_or_never().unwrap().unwrap();
    assert!(!stage.is_open(&token));
}

#[test]
fn a_code_works_once_and_for_five_minutes() {
    let stage = Stage::new();
    let created = stage.create("acme", 600);
    let token = stage.enter(&created.code).unwrap();
    assert_eq!(stage.enter(&created.code), None, "a second use");
    assert!(stage.is_open(&token), "which does not end the session");

    let created = stage.create("acme", 600);
    stage.later(PortalCode::VALID);
    assert_eq!(stage.enter(&created.code), None, "too late");
    let short = stage.create("acme", 60);
    assert_eq!(short.code_until, short.session.ends_at);
}

/// Session fixation: the token is made when the code is used, so nobody can prepare one.
#[test]
fn neither_a_code_nor_a_token_of_another_session_is_accepted() {
    let stage = Stage::new();
    let [one, other] = ["acme", "bolt"].map(|customer| stage.create(customer, 600));
    let token = stage.enter(&one.code).unwrap();
    // A code in the place of a token, and a token in the place of a code.
    assert!(!stage.is_open(&one.code.expose().parse().unwrap()));
    assert!(!stage.is_open(&other.code.expose().parse().unwrap()));
    let as_code: PortalCode = token.expose().parse().unwrap();
    assert_eq!(stage.enter(&as_code), None);

    let random = SystemRandom::new();
    let [acme, bolt] = ["acme", "bolt"].map(|customer| Audience::Customer(id(customer)));
    let session = one.session.id;
    for forged in [
        PortalToken::random(&acme, session, &random),
        PortalToken::random(&bolt, session, &random),
        PortalToken::random(&acme, other.session.id, &random),
        PortalToken::random(&Audience::Console, session, &random),
    ] {
        assert!(!stage.is_open(&forged), "{forged:?}");
    }
    let forged = PortalCode::random(&bolt, other.session.id, &random);
    assert_eq!(stage.enter(&forged), None);
    assert!(
        stage.enter(&other.code).is_some(),
        "a guess uses up nothing"
    );
}

#[test]
fn a_revoked_session_is_closed_at_once() {
    let stage = Stage::new();
    let [entered, waiting, another] = [1, 2, 3].map(|_| stage.create("acme", 600));
    let foreign = stage.create("bolt", 600);
    let token = stage.enter(&entered.code).unwrap();
    let revoke = |customer: &str, created: &CreatedSession| {
        let audience = id(customer).into();
        let revoked = stage.sessions.revoke(&audience, &created.session.id);
        revoked.now_or_never().unwrap()
    };
    for (customer, created) in [("bolt", &entered), ("acme", &foreign)] {
        let refused = revoke(customer, created);
        assert!(matches!(refused, Err(PortalSessionError::NotFound { .. })));
    }
    assert!(stage.is_open(&token));
    revoke("acme", &entered).unwrap();
    revoke("acme", &waiting).unwrap();
    assert!(!stage.is_open(&token));
    assert_eq!(stage.enter(&waiting.code), None);

    let token = stage.enter(&another.code).unwrap();
    let audience = id("acme").into();
    let all = stage.sessions.revoke_all(&audience).now_or_never();
    all.unwrap().unwrap();
    assert!(!stage.is_open(&token));
    assert!(stage.enter(&foreign.code).is_some());
}

#[test]
fn a_session_that_is_left_is_closed() {
    let stage = Stage::new();
    let token = stage.enter(&stage.create("acme", 600).code).unwrap();
    let checked = stage.check(&token).unwrap();
    let left = stage.access.leave(&checked);
    left.now_or_never().unwrap().unwrap();
    assert!(!stage.is_open(&token));
}

#[test]
fn a_customer_that_is_being_deleted_gets_no_session() {
    let stage = Stage::new();
    stage.create("acme", 600);
    let customers = Customers {
        table: stage.backend.clone(),
        clock: stage.backend.clone(),
    };
    let customer = id("acme");
    let put = customers.replace(&customer, &ExpectedVersion::Any, CustomerFields::default());
    put.now_or_never().unwrap().unwrap();
    stage.create("acme", 600);
    let deleted = customers.delete(&customer, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    let wanted = WantedSession {
        capabilities: Capabilities::new([Capability::View]).unwrap(),
        duration: SessionDuration::default(),
        return_url: None,
        created_by: None,
    };
    let refused = stage.sessions.create(&customer, wanted).now_or_never();
    let refused = refused.unwrap();
    assert!(matches!(
        refused,
        Err(PortalSessionError::BeingDeleted { .. })
    ));
}

/// A failure of the table is no answer: neither "ended" nor "open".
#[test]
fn a_failure_of_the_table_closes_no_session() {
    let stage = Stage::new();
    let token = stage.enter(&stage.create("acme", 600).code).unwrap();
    stage.backend.plant([Fault::Before]);
    let failed = stage.access.check(token.clone()).now_or_never().unwrap();
    assert!(failed.is_err());
    assert!(stage.is_open(&token));
    assert_eq!(samples::NOW, stage.backend.time());
}

/// A table that must not be written.
struct ReadOnly(InMemoryBackend);

impl PortalAccessTable for ReadOnly {
    async fn session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<Option<(PortalSession, SessionSecret)>, StoreError> {
        self.0.session(audience, id).await
    }

    async fn enter_session(
        &self,
        _: &PortalSession,
        _: &SecretDigest,
        _: &SecretDigest,
        _: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        panic!("a write")
    }

    async fn end_session(&self, _: &Audience, _: &PortalSessionId) -> Result<(), StoreError> {
        panic!("a write")
    }
}

#[test]
fn a_forged_code_costs_no_write() {
    let stage = Stage::new();
    let created = stage.create("acme", 600);
    let access = PortalAccess {
        table: ReadOnly(stage.backend.clone()),
        clock: stage.backend.clone(),
        random: SystemRandom::new(),
    };
    let find = |code: PortalCode| access.find(code).now_or_never().unwrap().unwrap();
    let (customer, random) = (id("acme"), SystemRandom::new());
    let forged = PortalCode::random(&customer.into(), created.session.id, &random);
    assert!(find(forged).is_none());
    assert!(find(created.code).is_some());
}

#[test]
fn an_exchange_whose_answer_was_lost_is_recognised() {
    let stage = Stage::new();
    let created = stage.create("acme", 600);
    let link = stage.access.find(created.code).now_or_never().unwrap();
    let link = link.unwrap().unwrap();
    let enter = || stage.access.enter(&link).now_or_never().unwrap();
    stage.backend.plant([Fault::After]);
    // The store's client repeats it; here the caller sees the failure, and the code is used.
    assert!(enter().is_err());
    assert!(enter().unwrap().is_none(), "the other token has it");
}
