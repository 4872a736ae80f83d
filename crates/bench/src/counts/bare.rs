//! The cases of the program that only makes the exchanges of a function.

use anyhow::Result;

use super::{
    case::{BATCH, Case},
    run::Bench,
};
use crate::{
    exchanges::{self, PROGRAM, Webhooks},
    floor::NAME,
    function::{Function, Surroundings},
    receiver::Behaviour,
};

impl Bench<'_> {
    /// Returns the case of deliveries over kept connections.
    pub(super) async fn bare_delivery(&self) -> Result<Case> {
        let (of, secret) = self.delivery(NAME, Behaviour::Prompt).await?;
        let webhooks = of.receiver.as_ref().map(|receiver| Webhooks {
            receiver,
            secret: &secret,
            each: BATCH,
        });
        let program = self.delivering(&self.options.peers);
        let surroundings = self.recorded(&of, webhooks.as_ref(), &program).await?;
        Ok(Case {
            function: PROGRAM.to_owned(),
            system_allocator: surroundings.clone(),
            surroundings,
            ..of
        })
    }

    /// Returns the case of the events of another case.
    pub(super) async fn bare_event(&self, of: &Case) -> Result<Case> {
        let program = self.setup.measured(&self.options.peers);
        let surroundings = self.recorded(of, None, &program).await?;
        let (part, _) = of.name.split_once('/').unwrap_or_default();
        Ok(Case {
            steps: of.steps.clone(),
            short: of.short,
            long: of.long,
            ..Case::new(&format!("{part}/{NAME}"), PROGRAM, surroundings)
        })
    }

    /// Lets the function of a case do its work, and returns the environment of the program that
    /// repeats the exchanges.
    async fn recorded(
        &self,
        of: &Case,
        webhooks: Option<&Webhooks<'_>>,
        program: &Surroundings,
    ) -> Result<Surroundings> {
        let mut function = Function::start(&of.surroundings, &of.function).await?;
        let file = format!("{}-exchanges.json", of.function);
        let file = self.options.work.join(file);
        let events = of.steps.iter().take(of.long).flatten();
        let aws = &self.setup.aws;
        exchanges::record(aws, &mut function, events, webhooks, &file, program).await
    }
}
