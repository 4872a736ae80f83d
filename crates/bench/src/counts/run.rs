//! Runs a program under the counting tools, and reads their figures.

use anyhow::{Context, Result, bail, ensure};

use super::{Options, case::Case, tool::Tool};
use crate::{
    function::{Function, expect_no_failures},
    lockstep::{Lockstep, still},
    report::Part,
    setup::Setup,
};

/// The number of tries until a run does the same work as the run without a tool: on a busy
/// machine, an AWS call may time out.
const TRIES: usize = 3;

/// The setup that all runs share.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) lockstep: Lockstep,
    pub(super) setup: Setup,
    pub(super) tools: Vec<Tool>,
}

/// The counts that are measured outside of a program.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Traffic {
    aws_calls: u64,
    aws_bytes: u64,
    endpoint_bytes: u64,
    logged_bytes: u64,
}

impl Bench<'_> {
    /// Counts a case and adds its figures.
    pub(super) async fn count(&self, part: &mut Part, case: &Case) -> Result<()> {
        let long = self.traffic(case, case.long).await?;
        let short = match case.short {
            Some(steps) => Some(self.traffic(case, steps).await?),
            None => None,
        };
        let mut add = |what: &str, long: f64, short: Option<f64>| {
            if case.differs(what) {
                return;
            }
            let each = (long - short.unwrap_or_default()) / case.counted();
            part.count(&format!("{}/{what}", case.name), each);
        };
        let mut add_traffic = |what, of: fn(&Traffic) -> u64| {
            #[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
            let number = |traffic| of(traffic) as f64;
            add(what, number(&long), short.as_ref().map(number));
        };
        add_traffic("AWS calls", |traffic| traffic.aws_calls);
        add_traffic("bytes to and from AWS", |traffic| traffic.aws_bytes);
        add_traffic("bytes logged", |traffic| traffic.logged_bytes);
        if case.receiver.is_some() {
            let name = "bytes to and from the endpoint";
            add_traffic(name, |traffic| traffic.endpoint_bytes);
        }
        for tool in &self.tools {
            if *tool == Tool::Dhat && case.hides_allocations() {
                continue;
            }
            let counted = self.counted(*tool, case, case.long, &long).await?;
            let before = match (case.short, &short) {
                (Some(steps), Some(short)) => Some(self.counted(*tool, case, steps, short).await?),
                _ => None,
            };
            for (place, what) in tool.counts().iter().enumerate() {
                add(
                    what,
                    counted[place],
                    before.as_ref().map(|before| before[place]),
                );
            }
        }
        Ok(())
    }

    /// Returns the counts of a run without a tool.
    async fn traffic(&self, case: &Case, steps: usize) -> Result<Traffic> {
        self.run(None, case, steps).await
    }

    /// Returns a tool's figures of a run that does the same work as the run without a tool.
    async fn counted(
        &self,
        tool: Tool,
        case: &Case,
        steps: usize,
        expected: &Traffic,
    ) -> Result<Vec<f64>> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.run(Some(tool), case, steps).await {
                Ok(traffic) if traffic.aws_calls == expected.aws_calls => {
                    return tool.read(&self.file(tool, case, steps));
                }
                Ok(traffic) => {
                    let (calls, wanted) = (traffic.aws_calls, expected.aws_calls);
                    last = format!("{calls} calls to AWS instead of {wanted}");
                }
                Err(error) => last = format!("{error:#}"),
            }
            eprintln!("counts: {} under {}: {last}", case.name, tool.name());
        }
        bail!(
            "{}: {TRIES} runs under {} did different work: {last}",
            case.name,
            tool.name()
        )
    }

    /// Returns the file for a tool's output. It is kept for inspection.
    fn file(&self, tool: Tool, case: &Case, steps: usize) -> std::path::PathBuf {
        let name = case.name.replace(['/', ' ', ','], "-");
        let tool = tool.name();
        self.options.work.join(format!("{name}.{steps}.{tool}"))
    }

    /// Runs a program for this many steps.
    async fn run(&self, tool: Option<Tool>, case: &Case, steps: usize) -> Result<Traffic> {
        let surroundings = match tool {
            Some(Tool::Dhat) => &case.system_allocator,
            _ => &case.surroundings,
        };
        let program = surroundings.program(&case.function);
        let mut command = vec![program.to_string_lossy().into_owned()];
        if let Some(tool) = tool {
            let path = tool.path().context("the tool is gone")?;
            let mut before = vec![path.to_string_lossy().into_owned()];
            before.extend(tool.arguments(&self.file(tool, case, steps)));
            command.splice(..0, before);
        }
        let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        let mut variables = surroundings.variables.clone();
        let of_tool = tool.and_then(Tool::variables);
        variables.extend(of_tool.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let aws = &self.setup.aws;
        let endpoint_bytes = || case.receiver.as_ref().map_or(0, |to| to.wire.bytes());
        let requests = || {
            case.receiver
                .as_ref()
                .map_or(0, crate::receiver::Receiver::requests)
        };
        let _ = aws.take_counts();
        let (aws_before, endpoint_before) = (aws.wire.bytes(), endpoint_bytes());
        let requests_before = requests();

        let mut function =
            Function::start_in_step(&self.lockstep, command[0].as_ref(), &arguments, &variables)
                .await?;
        let pid = match tool {
            Some(tool) => tool.counted(&function.process)?,
            None => function.process.id(),
        };
        still(pid).await?;
        let followed = self.lockstep.follow(pid);
        for step in case.steps.iter().cycle().take(steps) {
            for event in step {
                let answer = function.invoke(event.clone()).await?;
                if case.receiver.is_some() {
                    expect_no_failures(&answer)?;
                }
            }
        }
        followed.rest().await?;
        drop(followed);
        function.process.end(pid).await?;

        if case.receiver.is_some() {
            let made = requests() - requests_before;
            let wanted = (steps * case.each) as u64;
            ensure!(
                made == wanted,
                "{}: {made} requests, not {wanted}",
                case.name
            );
        }
        Ok(Traffic {
            aws_calls: aws.take_counts().total(),
            aws_bytes: aws.wire.bytes() - aws_before,
            endpoint_bytes: endpoint_bytes() - endpoint_before,
            logged_bytes: function.process.printed_bytes_without_numbers(),
        })
    }
}
