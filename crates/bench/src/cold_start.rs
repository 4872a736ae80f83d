//! The part `cold-start`: from exec to the first poll of the Runtime API.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    function::Function,
    report::{Part, Table, Unit, cell},
    setup::{Programs, Setup},
    stats::{Measured, millis, quantile, ratios},
};

/// The number of starts of each program.
const ROUNDS: usize = 41;

/// A program to be started.
struct Contender {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    variables: BTreeMap<String, String>,
    wall_millis: Vec<f64>,
    cpu_millis: Vec<f64>,
    resident_mebibytes: Vec<f64>,
}

/// Runs the part.
pub(crate) async fn run(programs: &Programs, quick: bool) -> Result<Part> {
    let mut part = Part::new("cold-start", "Cold start", quick)?;
    part.how(
        "The time from exec to the first poll of a stub of the Lambda Runtime API, when all \
         clients exist. Each round starts every program once; the first round does not count. \
         The programs and their certificates are in the page cache. The time does not include \
         AWS's own work before exec (the sandbox, the download).",
    );
    part.how(
        "Floor: a function of `lambda_runtime` that does nothing. Node.js: a function that \
         only loads and creates the DynamoDB, SQS and KMS clients, bundled and minified. \
         Memory is the resident memory at the first poll.",
    );
    let setup = Setup::start(programs).await?;
    let mut contenders = contenders(programs, &setup)?;
    let rounds = if quick { 7 } else { ROUNDS };
    for round in 0..=rounds {
        if round % 10 == 0 {
            eprintln!("cold-start: round {round} of {rounds}");
        }
        for contender in &mut contenders {
            contender.start(round > 0).await?;
        }
    }
    let floor = contenders.len() - 2;
    let mut table = Table::new(
        "Exec to first poll",
        &[
            "program", "÷ floor", "median", "p99", "CPU", "memory", "size",
        ],
    );
    for contender in &contenders {
        let to_floor = ratios(&contender.wall_millis, &contenders[floor].wall_millis);
        let wall = Measured::of(&contender.wall_millis);
        let mut sorted = contender.wall_millis.clone();
        sorted.sort_by(f64::total_cmp);
        let memory = Measured::of(&contender.resident_mebibytes);
        table.row([
            contender.name.clone(),
            cell(to_floor, Unit::Ratio),
            cell(wall, Unit::Millis),
            Unit::Millis.text(quantile(&sorted, 0.99)),
            cell(Measured::of(&contender.cpu_millis), Unit::Millis),
            Unit::Mebibytes.text(memory.median),
            Unit::Mebibytes.text(contender.mebibytes()?),
        ]);
        let name = &contender.name;
        if programs.functions.join(name).exists() {
            part.target(&format!("{name}/time"), wall, Unit::Millis, 25.0);
        }
    }
    part.tables.push(table);
    Ok(part)
}

/// Returns our functions, the minimum, and Node.js.
fn contenders(programs: &Programs, setup: &Setup) -> Result<Vec<Contender>> {
    let mut variables = setup.surroundings.variables.clone();
    // As on Lambda, the system's certificate authorities are read.
    variables.remove("SSL_CERT_FILE");
    let contender = |name: &str, program: PathBuf, arguments: &[String]| Contender {
        name: name.to_owned(),
        program,
        arguments: arguments.to_vec(),
        variables: variables.clone(),
        wall_millis: Vec::new(),
        cpu_millis: Vec::new(),
        resident_mebibytes: Vec::new(),
    };
    let mut names = Vec::new();
    let folder = &programs.functions;
    for entry in fs::read_dir(folder).with_context(|| format!("reading `{}`", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut all: Vec<Contender> = names
        .iter()
        .map(|name| contender(name, folder.join(name), &[]))
        .collect();
    let floor = programs.peers.join("bench-hello-world");
    all.push(contender("floor: hello world", floor, &[]));
    let script = programs.scripts.join("hello.mjs");
    let script = script.to_string_lossy().into_owned();
    all.push(contender("Node.js", programs.node.clone(), &[script]));
    Ok(all)
}

impl Contender {
    async fn start(&mut self, counts: bool) -> Result<()> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let function = Function::start_program(&self.program, &arguments, &self.variables).await?;
        if counts {
            self.wall_millis.push(millis(function.start_took));
            self.cpu_millis.push(millis(function.process.cpu_time()?));
            let bytes = function.process.resident_bytes()?;
            self.resident_mebibytes.push(mebibytes(bytes));
        }
        Ok(())
    }

    /// Returns the size of the program or script.
    fn mebibytes(&self) -> Result<f64> {
        let script = self.arguments.first().map(PathBuf::from);
        let file = script.unwrap_or_else(|| self.program.clone());
        let metadata =
            fs::metadata(&file).with_context(|| format!("reading `{}`", file.display()))?;
        Ok(mebibytes(metadata.len()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
