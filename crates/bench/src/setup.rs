//! The setup of every part that needs no emulator.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    authority::Authority, function::Surroundings, lockstep::Lockstep, names::NameServer,
    stub_aws::StubAws,
};

/// The places of the measured programs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Programs {
    /// The folder of the released functions.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) functions: PathBuf,
    /// The folder of `deliver-webhook` with the feature `bench`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) measured: PathBuf,
    /// The folder of the programs for comparison written in Rust.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) peers: PathBuf,
    /// The path of Node.js.
    #[arg(long, value_name = "FILE")]
    pub(crate) node: PathBuf,
    /// The folder of the programs for comparison written in JavaScript.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scripts: PathBuf,
    /// A folder for the run's files.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) work: PathBuf,
}

/// Stubs of AWS and DNS, and the functions' environment.
pub(crate) struct Setup {
    pub(crate) authority: Authority,
    pub(crate) names: NameServer,
    pub(crate) aws: StubAws,
    /// The environment of the released functions. They trust the stub of AWS because a variable
    /// names the file from which the AWS clients read the system's authorities.
    pub(crate) surroundings: Surroundings,
}

impl Setup {
    /// Starts servers that answer immediately, for these programs.
    pub(crate) async fn start(programs: &Programs) -> Result<Self> {
        Self::start_in_step(&Lockstep::default(), &programs.functions, &programs.work).await
    }

    /// Starts servers in lockstep, for the functions in one folder. The run's files are written
    /// into the other folder.
    pub(crate) async fn start_in_step(
        lockstep: &Lockstep,
        functions: &Path,
        work: &Path,
    ) -> Result<Self> {
        let authority = Authority::new(work)?;
        let names = NameServer::start(lockstep).await?;
        let aws = StubAws::start(&authority, lockstep).await?;
        let surroundings = Surroundings::new(functions.to_owned(), &aws.endpoint)
            .with("SSL_CERT_FILE", authority.file.display());
        Ok(Self {
            authority,
            names,
            aws,
            surroundings,
        })
    }

    /// Returns the environment for a `deliver-webhook` with the feature `bench` in this folder.
    /// It trusts receivers with certificates of this run's authority, and uses this run's name
    /// server.
    pub(crate) fn measured(&self, folder: &Path) -> Surroundings {
        Surroundings {
            programs: folder.to_owned(),
            variables: self.surroundings.variables.clone(),
        }
        .with("BENCH_AUTHORITY_FILE", self.authority.file.display())
        .with("BENCH_NAME_SERVER", self.names.address)
    }

    /// Returns the environment for a function in JavaScript.
    pub(crate) fn node(&self) -> Surroundings {
        self.surroundings
            .with("NODE_EXTRA_CA_CERTS", self.authority.file.display())
    }
}
