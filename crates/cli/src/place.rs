//! Finds the stack. All commands use this module.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::{ProvideCredentials, Region};
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata};
use clap::Args;
use clap::error::ErrorKind;
use webhooks_client::{Stack, sdk_loader};

use crate::advice::advise;

/// The variable that names a stack or its file if no option does.
const VARIABLE: &str = "WEBHOOKS_STACK";

/// The options that select the stack.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Stack")]
pub(crate) struct Place {
    /// The name of a stack in AWS, with the usual credentials and region [env: `WEBHOOKS_STACK`].
    #[arg(long, global = true, value_name = "NAME")]
    stack: Option<String>,
    /// The stack's file, as written by `cargo xtask local up` [env: `WEBHOOKS_STACK`].
    #[arg(long, global = true, value_name = "FILE")]
    stack_file: Option<PathBuf>,
    /// The profile with the credentials for `--stack` [env: `AWS_PROFILE`].
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// The region of `--stack` [env: `AWS_REGION`]. For `estimate`, that of the quotas, not of the prices.
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
}

/// The source of the stack's outputs.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// In CloudFormation, under this name.
    Name(String),
    /// In this file.
    File(PathBuf),
}

impl Place {
    /// The region that an option names.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Finds the stack.
    ///
    /// # Errors
    /// A [`clap::Error`] if no stack is named, or more than one. Each error names the next
    /// step.
    pub(crate) async fn find(&self) -> Result<Stack> {
        match self.source(env::var_os(VARIABLE))? {
            Source::Name(name) => self.describe(&name).await,
            Source::File(path) => Stack::load(&path).await.map_err(advise),
        }
    }

    // clap cannot check this: it detects conflicts only between options on the same side of the
    // subcommand.
    fn source(&self, variable: Option<OsString>) -> Result<Source, clap::Error> {
        let usage = |kind, text: &str| Err(crate::usage(kind, text));
        let source = match (&self.stack, &self.stack_file) {
            (Some(_), Some(_)) => {
                let text = "`--stack` and `--stack-file` name two stacks: give only one of them";
                return usage(ErrorKind::ArgumentConflict, text);
            }
            (Some(name), None) => return Ok(Source::Name(name.clone())),
            (None, Some(path)) => Some(path.clone()),
            (None, None) => match variable.filter(|variable| !variable.is_empty()) {
                Some(variable) => match variable.to_str().filter(|text| is_stack_name(text)) {
                    Some(name) => return Ok(Source::Name(name.to_owned())),
                    None => Some(PathBuf::from(variable)),
                },
                None => None,
            },
        };
        let Some(path) = source else {
            let text = format!(
                "no stack given: use `--stack NAME` for one in AWS, `--stack-file \
                 target/local/stack.json` for the one of `cargo xtask local up`, or set {VARIABLE} \
                 to such a name or file"
            );
            return usage(ErrorKind::MissingRequiredArgument, &text);
        };
        if self.profile.is_some() || self.region.is_some() {
            let text =
                "use `--profile` and `--region` only with `--stack`: a stack file has its own";
            return usage(ErrorKind::ArgumentConflict, text);
        }
        Ok(Source::File(path))
    }

    /// Reads the outputs of the stack with this name from CloudFormation.
    async fn describe(&self, name: &str) -> Result<Stack> {
        let mut loader = sdk_loader();
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let sdk = loader.load().await;
        let region = sdk
            .region()
            .context("no region: give `--region`, set AWS_REGION, or `region` in the profile")?;
        sdk.credentials_provider()
            .context("no AWS credentials")?
            .provide_credentials()
            .await
            .context(
                "no AWS credentials: log in, or choose a profile with credentials by `--profile`",
            )?;
        let output = Client::new(&sdk)
            .describe_stacks()
            .stack_name(name)
            .send()
            .await
            .map_err(|error| match (error.code(), error.message()) {
                // CloudFormation has no specific error code for a missing stack.
                (Some("ValidationError"), Some(message)) => anyhow!(
                    "stack `{name}` in {region}: {message}: check `--region` and `--profile`"
                ),
                _ => anyhow!(
                    "stack `{name}` in {region}: {}",
                    DisplayErrorContext(&error)
                )
                .context("cannot read the stack's outputs with cloudformation:DescribeStacks"),
            })?;
        let outputs = output.stacks.into_iter().flatten();
        let outputs = outputs.flat_map(|stack| stack.outputs.unwrap_or_default());
        let outputs = outputs.filter_map(|output| Some((output.output_key?, output.output_value?)));
        Ok(Stack::new(sdk.clone(), outputs.collect())?.named(name))
    }
}

/// Returns true if CloudFormation accepts the text as the name of a stack. A file name that
/// ends in `.json` is not accepted.
fn is_stack_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stack: Option<&str>, file: Option<&str>) -> Place {
        Place {
            stack: stack.map(str::to_owned),
            stack_file: file.map(PathBuf::from),
            ..Place::default()
        }
    }

    #[test]
    fn an_option_goes_before_the_environment() {
        let variable = || Some("env.json".into());
        let source = |stack, file| place(stack, file).source(variable()).unwrap();
        assert_eq!(source(Some("prod"), None), Source::Name("prod".to_owned()));
        assert_eq!(source(None, Some("a.json")), Source::File("a.json".into()));
        assert_eq!(source(None, None), Source::File("env.json".into()));
    }

    #[test]
    fn the_environment_names_a_stack_or_its_file() {
        let source = |variable: &str| place(None, None).source(Some(variable.into())).unwrap();
        assert_eq!(source("prod-2"), Source::Name("prod-2".to_owned()));
        for file in ["stack.json", "target/local/stack.json", "./stack", "/stack"] {
            assert_eq!(source(file), Source::File(file.into()), "{file}");
        }
        // A name needs a region, from any source.
        let elsewhere = Place {
            region: Some("eu-west-1".to_owned()),
            ..place(None, None)
        };
        assert!(elsewhere.source(Some("prod".into())).is_ok());
        assert!(elsewhere.source(Some("stack.json".into())).is_err());
    }

    #[test]
    fn no_stack_or_two_are_wrong_usage() {
        let error = place(None, None).source(None).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(
            error.to_string().contains("cargo xtask local up"),
            "{error}"
        );
        let error = place(Some("prod"), Some("a.json")).source(None);
        assert_eq!(error.unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_profile_for_a_stack_file_is_wrong_usage() {
        let place = Place {
            profile: Some("prod".to_owned()),
            ..place(None, Some("a.json"))
        };
        let error = place.source(None).unwrap_err();
        assert!(error.to_string().contains("`--stack`"), "{error}");
    }
}
