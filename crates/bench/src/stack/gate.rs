//! Opens and closes the event source mappings from the delivery queues.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::json;

use super::{Deployment, Role};

/// The event source mappings of the delivery functions.
///
/// While they are closed, messages collect in the queues, so that batches are full when they
/// open. After closing, no new batch is read; a batch in progress is completed.
pub(crate) struct Gate<'a> {
    deployment: &'a Deployment,
    mappings: Vec<String>,
}

impl<'a> Gate<'a> {
    pub(crate) async fn of(deployment: &'a Deployment) -> Result<Self> {
        let mut mappings = Vec::new();
        for function in deployment.with_role(Role::Deliver) {
            let path = format!(
                "/2015-03-31/event-source-mappings/?FunctionName={}",
                function.name
            );
            let list = deployment.aws.lambda(Method::GET, &path, "").await?;
            let list = list["EventSourceMappings"].as_array();
            for mapping in list.context("no list of event source mappings")? {
                let id = mapping["UUID"]
                    .as_str()
                    .context("a mapping without an id")?;
                mappings.push(id.to_owned());
            }
        }
        ensure!(!mappings.is_empty(), "no queue leads to a function");
        Ok(Self {
            deployment,
            mappings,
        })
    }

    pub(crate) async fn open(&self) -> Result<()> {
        self.set(true).await
    }

    pub(crate) async fn close(&self) -> Result<()> {
        self.set(false).await
    }

    async fn set(&self, enabled: bool) -> Result<()> {
        let change = json!({"Enabled": enabled}).to_string();
        for id in &self.mappings {
            let path = format!("/2015-03-31/event-source-mappings/{id}");
            self.deployment
                .aws
                .lambda(Method::PUT, &path, &change)
                .await?;
        }
        Ok(())
    }
}
