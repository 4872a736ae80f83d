//! The pages of the event catalogue.

use webhooks_domain::catalogue::{IndexedType, TypeIndex, TypeName, UseOfType};
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::ports::Clock;
use webhooks_domain::text::Text;
use webhooks_pages::event_types::{
    self, Deprecated, EventTypeView, EventTypes, ListedType, PAGE_SIZE,
};
use webhooks_pages::frame::Frame;
use webhooks_wire::answers;

use crate::data::{Queue, Table, Workflow};
use crate::form::Fields;
use crate::refusal::Refusal;
use crate::router::Portal;

/// The longest text that is searched for, in characters.
const MAX_QUERY_CHARS: usize = 128;

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Portal<T, Q, W, C> {
    /// The list of the types.
    pub(crate) async fn event_types(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        query: &Fields,
    ) -> Result<String, Refusal> {
        let number = query.get("page").map_or(Ok(1), str::parse::<usize>);
        let number = number.map_err(|_| Refusal::Malformed)?;
        let text = query.get("q").unwrap_or_default().trim();
        if text.chars().count() > MAX_QUERY_CHARS {
            return Err(Refusal::Malformed);
        }
        let index = self.data.event_types(scope).await?;
        let mut types = found(&index, text);
        let first = number.saturating_sub(1).saturating_mul(PAGE_SIZE);
        let has_more = types.len() > first.saturating_add(PAGE_SIZE);
        types.drain(..first.min(types.len()));
        types.truncate(PAGE_SIZE);
        let view = EventTypes {
            customer: scope.customer().to_string(),
            query: text.to_owned(),
            types,
            next_page: has_more.then(|| number.max(1).saturating_add(1)),
        };
        Ok(event_types::page(frame, &view))
    }

    /// One type.
    pub(crate) async fn event_type(
        &self,
        frame: &Frame,
        scope: &CustomerScope,
        name: &TypeName,
    ) -> Result<String, Refusal> {
        let found = self.data.event_type(scope, name).await?;
        let view = EventTypeView {
            customer: scope.customer().to_string(),
            event_type: answers::event_type(found.ok_or(Refusal::NotFound)?),
        };
        Ok(event_types::type_page(frame, &view))
    }
}

/// The types whose name or group has a text, in the order of their groups. Types without a group are
/// the last.
fn found(index: &TypeIndex, text: &str) -> Vec<ListedType> {
    let text = text.to_lowercase();
    let has_text = |(name, indexed): &(&TypeName, &IndexedType)| {
        let group = indexed.group.as_ref();
        let group = group.map_or(String::new(), |group| group.as_str().to_lowercase());
        name.as_str().to_lowercase().contains(&text) || group.contains(&text)
    };
    let mut types: Vec<_> = index.iter().filter(has_text).collect();
    // Within a group, the order of the names stays.
    types.sort_by_key(|(_, indexed)| {
        let group = indexed.group.as_ref().map(Text::as_str);
        (group.is_none(), group)
    });
    let listed = types.into_iter().map(|(name, indexed)| ListedType {
        name: name.to_string(),
        group: indexed
            .group
            .as_ref()
            .map(|group| group.as_str().to_owned()),
        deprecated: match indexed.use_of_it {
            UseOfType::Current => None,
            UseOfType::Deprecated => Some(Deprecated),
        },
    });
    listed.collect()
}
