//! The contract of the sessions of the portal and of the console.

use std::time::Duration;

use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::portal_session::{
    Audience, Capabilities, Capability, Holder, PortalSession, SecretDigest, SessionSecret,
};
use webhooks_domain::ports::WriteOutcome::{Conflict, Written};
use webhooks_domain::ports::{InsertOutcome, PortalAccessTable, PortalSessionTable};
use webhooks_domain::timestamp::Timestamp;

use crate::samples;

const CODE: SecretDigest = SecretDigest::from_bytes([1; 32]);
const TOKEN: SecretDigest = SecretDigest::from_bytes([2; 32]);
const OTHER: SecretDigest = SecretDigest::from_bytes([3; 32]);
const BEFORE: Timestamp = Timestamp::from_millis(samples::NOW.as_millis() - 1_000);

/// A session is entered once, with its own code and before the code expires, and is then found with
/// its token. Sessions are listed by customer, the newest first, without those that have expired,
/// and can be deleted.
///
/// The store's clock must show [`samples::NOW`].
pub async fn portal_sessions<S>(store: &S, salt: &str)
where
    S: PortalSessionTable + PortalAccessTable,
{
    let [customer, stranger] = ["", "-stranger"].map(|name| {
        let customer = samples::customer(&format!("{salt}-portal{name}"));
        Holder::Customer(customer)
    });
    sessions_of(store, &customer, &stranger).await;
    let support = Holder::Support("jo@example.com".parse().expect("an actor"));
    sessions_of(store, &support, &stranger).await;
}

/// The contract for the sessions of one site, beside those of another.
async fn sessions_of<S>(store: &S, holder: &Holder, stranger: &Holder)
where
    S: PortalSessionTable + PortalAccessTable,
{
    let later = samples::NOW + Duration::from_mins(5);
    let [first, second, third, expired, ended] =
        [1, 2, 3, 4, 5].map(|number| session(holder, number));
    let ended = PortalSession {
        ends_at: BEFORE,
        ..ended
    };
    let foreign = session(stranger, 9);
    let [customer, stranger] = [holder, stranger].map(Holder::audience);
    for (session, code_until) in [
        (&first, later),
        (&second, later),
        (&third, later),
        (&expired, BEFORE),
        (&foreign, later),
        (&ended, later),
    ] {
        let inserted = store.insert_session(session, &CODE, code_until).await;
        assert_eq!(inserted.expect("answers"), InsertOutcome::Inserted);
    }
    let again = store.insert_session(&first, &CODE, later).await;
    assert_eq!(again.expect("answers"), InsertOutcome::AlreadyThere);

    let enter = async |session: &PortalSession, code, token| {
        let entered = store.enter_session(session, &code, &token, samples::NOW);
        entered.await.expect("answers")
    };
    let found = async |of: &Audience, id| {
        let found = store.session(of, &id).await;
        found.expect("answers")
    };
    let before = found(&customer, first.id).await;
    assert_eq!(before, Some((first.clone(), SessionSecret::Code(CODE))));
    let of_stranger = PortalSession {
        holder: foreign.holder.clone(),
        ..first.clone()
    };
    assert_eq!(enter(&first, OTHER, TOKEN).await, Conflict);
    assert_eq!(enter(&of_stranger, CODE, TOKEN).await, Conflict);
    assert_eq!(enter(&expired, CODE, TOKEN).await, Conflict);
    let entered = PortalSession {
        entered_at: Some(samples::NOW),
        ..first.clone()
    };
    assert_eq!(enter(&first, CODE, TOKEN).await, Written);
    assert_eq!(enter(&first, CODE, OTHER).await, Conflict, "it works once");
    let stored = found(&customer, first.id).await;
    assert_eq!(stored, Some((entered.clone(), SessionSecret::Token(TOKEN))));
    assert_eq!(found(&stranger, first.id).await, None);
    assert_eq!(enter(&ended, CODE, TOKEN).await, Written);
    assert_eq!(found(&customer, ended.id).await, None, "it expires then");

    let list = async |of: &Audience, before: Option<PortalSessionId>, limit| {
        let page = store.sessions(of, before.as_ref(), limit).await;
        let page = page.expect("answers");
        let entries = page.entries.into_iter().map(|read| read.expect("whole"));
        (entries.collect::<Vec<_>>(), page.has_more)
    };
    let (page, has_more) = list(&customer, None, 100).await;
    assert_eq!(page, [third.clone(), second.clone(), entered]);
    assert!(!has_more);
    let (page, _) = list(&customer, Some(third.id), 1).await;
    assert_eq!(page, std::slice::from_ref(&second));

    let delete = async |of: &Audience, id| {
        let deleted = store.delete_session(of, &id).await;
        deleted.expect("answers")
    };
    assert!(!delete(&stranger, second.id).await);
    assert!(!delete(&customer, expired.id).await);
    assert!(delete(&customer, second.id).await);
    assert!(!delete(&customer, second.id).await);
    assert_eq!(enter(&second, CODE, TOKEN).await, Conflict);
    for _ in 0..2 {
        let ended = store.end_session(&customer, &first.id).await;
        ended.expect("repeating it is no error");
    }
    assert_eq!(found(&customer, first.id).await, None);
    while store.delete_sessions(&customer).await.expect("answers") > 0 {}
    assert_eq!(list(&customer, None, 100).await.0, []);
    assert_eq!(list(&stranger, None, 100).await.0, [foreign]);
    while store.delete_sessions(&stranger).await.expect("answers") > 0 {}
}

pub(super) fn session(holder: &Holder, number: u8) -> PortalSession {
    let mut id = [0; 16];
    id[0] = number;
    PortalSession {
        holder: holder.clone(),
        id: PortalSessionId::from_bytes(id),
        capabilities: Capabilities::new([Capability::Manage]).expect("not empty"),
        return_url: (number == 2).then(|| "https://app.example/".parse().expect("a URL")),
        created_by: (number == 1).then(|| "arn:aws:iam::123456789012:role/backend".to_owned()),
        created_at: samples::NOW,
        entered_at: None,
        ends_at: samples::NOW + Duration::from_hours(1),
    }
}
