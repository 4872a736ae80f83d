//! Sessions of the portal and of the console.
//!
//! An item has the digest of its code until it is entered, and that of its token from then on. It
//! expires with the code, and once it is entered, with the session.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webhooks_domain::broken::Readable;
use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::portal_session::{
    Audience, Capabilities, Capability, CapabilityError, Holder, PortalSession, ReturnUrl,
    SecretDigest, SessionSecret,
};
use webhooks_domain::ports::{
    InsertOutcome, PortalAccessTable, PortalSessionTable, StoreError, WriteOutcome,
};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::{Key, SESSIONS, session_partition};
use crate::store::{
    AttributeMap, IN_FORCE, NOT_EXPIRED, NOW, PRESENT, from_attributes, into_domain, number,
    query_some, readable, to_attributes, unavailable, write_outcome,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionItem {
    #[serde(flatten)]
    key: Key,
    capabilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    /// The member of the support staff, for a session of the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered_at: Option<Timestamp>,
    /// The end of the session, in seconds.
    ends_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_digest: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_digest: Option<ByteBuf>,
    expires_at: i64,
}

impl TryFrom<SessionItem> for PortalSession {
    type Error = String;

    fn try_from(item: SessionItem) -> Result<Self, String> {
        let (audience, id) = item.key.session_id()?;
        let holder = match (audience, item.actor) {
            (Audience::Customer(customer), None) => Holder::Customer(customer),
            (Audience::Console, Some(actor)) => {
                let actor = actor.parse().map_err(|error| format!("actor: {error}"))?;
                Holder::Support(actor)
            }
            _ => return Err("actor: only and always in a session of the console".to_owned()),
        };
        let capabilities = item.capabilities.iter().map(|name| name.parse());
        let capabilities = capabilities.collect::<Result<Vec<Capability>, _>>();
        let capabilities = capabilities
            .and_then(Capabilities::new)
            .map_err(|error: CapabilityError| format!("capabilities: {error}"))?;
        let return_url = item.return_url.map(|url| url.parse::<ReturnUrl>());
        Ok(Self {
            holder,
            id,
            capabilities,
            return_url: return_url
                .transpose()
                .map_err(|error| format!("returnUrl: {error}"))?,
            created_by: item.created_by,
            created_at: item.created_at,
            entered_at: item.entered_at,
            ends_at: Timestamp::from_millis(item.ends_at.saturating_mul(1_000)),
        })
    }
}

impl PortalSessionTable for DynamoStore {
    async fn insert_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        code_until: Timestamp,
    ) -> Result<InsertOutcome, StoreError> {
        let names = session.capabilities.iter().map(Capability::as_str);
        let item = SessionItem {
            key: Key::session(&session.holder.audience(), &session.id),
            capabilities: names.map(str::to_owned).collect(),
            return_url: session
                .return_url
                .as_ref()
                .map(|url| url.as_str().to_owned()),
            created_by: session.created_by.clone(),
            actor: session.holder.actor().map(ToString::to_string),
            created_at: session.created_at,
            entered_at: session.entered_at,
            ends_at: session.ends_at.as_secs(),
            code_digest: Some(ByteBuf::from(*code.as_bytes())),
            token_digest: None,
            expires_at: code_until.as_secs(),
        };
        self.insert_item(&item, "insert session").await
    }

    async fn sessions(
        &self,
        audience: &Audience,
        before: Option<&PortalSessionId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<PortalSession, PortalSessionId>>, StoreError> {
        let start = before.map(|id| to_attributes(&Key::session(audience, id)));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :partition AND begins_with(sk, :session)")
            .filter_expression(NOT_EXPIRED)
            .expression_attribute_values(
                ":partition",
                AttributeValue::S(session_partition(audience)),
            )
            .expression_attribute_values(":session", AttributeValue::S(SESSIONS.to_owned()))
            .expression_attribute_values(NOW, self.now_secs())
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let id = |key: &Key| key.session_id().map(|(_, id)| id);
        let read = |item: AttributeMap| readable::<SessionItem, _, _>(item, id);
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list sessions", error))?;
        Ok(EntryPage { entries, has_more })
    }

    async fn delete_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<bool, StoreError> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::session(audience, id))))
            .condition_expression(format!("{PRESENT} AND {NOT_EXPIRED}"))
            .expression_attribute_values(NOW, self.now_secs())
            .send()
            .await;
        Ok(write_outcome(result, "delete session")? == WriteOutcome::Written)
    }

    async fn delete_sessions(&self, audience: &Audience) -> Result<u64, StoreError> {
        // The usage of the day stays: it would be a way to more.
        self.delete_range(session_partition(audience), SESSIONS)
            .await
    }
}

impl PortalAccessTable for DynamoStore {
    async fn session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<Option<(PortalSession, SessionSecret)>, StoreError> {
        let key = Key::session(audience, id);
        let Some(item) = self.get_attributes(key, "get session").await? else {
            return Ok(None);
        };
        let read = from_attributes::<SessionItem>(item.clone())?;
        let digest =
            |bytes: ByteBuf| Some(SecretDigest::from_bytes(bytes.into_vec().try_into().ok()?));
        let secret = match (read.code_digest, read.token_digest) {
            (_, Some(token)) => digest(token).map(SessionSecret::Token),
            (Some(code), None) => digest(code).map(SessionSecret::Code),
            (None, None) => None,
        };
        let Some(secret) = secret else {
            return Ok(None);
        };
        Ok(Some((into_domain::<SessionItem, _>(item)?, secret)))
    }

    /// The role of the portal may write these attributes of a session only: see the template.
    async fn enter_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        token: &SecretDigest,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let digest = |digest: &SecretDigest| AttributeValue::B(Blob::new(*digest.as_bytes()));
        let key = Key::session(&session.holder.audience(), &session.id);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&key)))
            .update_expression(
                "SET tokenDigest = :token, enteredAt = :at, expiresAt = :end REMOVE codeDigest",
            )
            .condition_expression(format!("codeDigest = :code AND {IN_FORCE}"))
            .expression_attribute_values(":code", digest(code))
            .expression_attribute_values(":token", digest(token))
            .expression_attribute_values(":at", number(at.as_millis()))
            .expression_attribute_values(":end", number(session.ends_at.as_secs()))
            .expression_attribute_values(NOW, self.now_secs())
            .send()
            .await;
        write_outcome(result, "enter session")
    }

    async fn end_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<(), StoreError> {
        self.delete_key(&Key::session(audience, id)).await
    }
}
