//! The event catalogue. It is the same for all customers, and whoever may open a page of a customer may
//! see it.

use webhooks_domain::catalogue::{CatalogueEntry, TypeIndex, TypeName};
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::ports::StoreError;

use super::{Data, Table};

impl<T: Table, Q, W, C> Data<T, Q, W, C> {
    /// The names of all types, with one read.
    pub(crate) async fn event_types(&self, _: &CustomerScope) -> Result<TypeIndex, StoreError> {
        self.table.type_index().await
    }

    /// A type.
    pub(crate) async fn event_type(
        &self,
        _: &CustomerScope,
        name: &TypeName,
    ) -> Result<Option<CatalogueEntry>, StoreError> {
        self.table.event_type(name).await
    }
}
