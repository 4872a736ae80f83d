//! The deployed functions through which an event passes.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde::Deserialize;

use super::Aws;

/// The role of a function for an event. Several functions may have the same role.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Role {
    LookUp,
    Prepare,
    Deliver,
}

impl Role {
    const ALL: [Self; 3] = [Self::LookUp, Self::Prepare, Self::Deliver];

    /// Returns the prefix of its resources' names in the template. `CloudFormation` includes it
    /// in the functions' names.
    fn resource(self) -> &'static str {
        match self {
            Self::LookUp => "LookUpSubscriptions",
            Self::Prepare => "PrepareCalls",
            Self::Deliver => "DeliverWebhook",
        }
    }
}

/// A deployed function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) memory_mebibytes: u32,
    pub(crate) log_group: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    function_name: String,
    memory_size: u32,
    logging_config: LoggingConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    log_group: String,
}

impl Function {
    /// Finds every function through which an event passes.
    pub(crate) async fn all(aws: &Aws) -> Result<Vec<Self>> {
        let path = "/2015-03-31/functions/";
        let list = aws.lambda(Method::GET, path, "").await?;
        let list: Vec<Configuration> =
            serde_json::from_value(list["Functions"].clone()).context("the list of functions")?;
        let mut all = Vec::new();
        for role in Role::ALL {
            let of_role = list
                .iter()
                .filter(|found| found.function_name.contains(role.resource()));
            let before = all.len();
            all.extend(of_role.map(|found| Self {
                role,
                name: found.function_name.clone(),
                memory_mebibytes: found.memory_size,
                log_group: found.logging_config.log_group.clone(),
            }));
            ensure!(all.len() > before, "no function `{}`", role.resource());
        }
        Ok(all)
    }
}
