//! What every part without an emulator starts from.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    authority::Authority, function::Surroundings, lockstep::Lockstep, names::NameServer,
    stub_aws::StubAws,
};

/// Where the programs are that are measured.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Programs {
    /// The folder of the functions, as they are released.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) functions: PathBuf,
    /// The folder of `deliver-webhook` with the feature `bench`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) measured: PathBuf,
    /// The folder of the peers written in Rust.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) peers: PathBuf,
    /// Node.js.
    #[arg(long, value_name = "FILE")]
    pub(crate) node: PathBuf,
    /// The folder of the peers written in JavaScript.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scripts: PathBuf,
    /// A folder for what the run needs.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) work: PathBuf,
}

/// Stubs of AWS and DNS, and what the functions find in their environment.
pub(crate) struct Setup {
    pub(crate) authority: Authority,
    pub(crate) names: NameServer,
    pub(crate) aws: StubAws,
    /// Of the functions as they are released. They trust the stub of AWS by a variable that
    /// the AWS clients take the system's authorities from.
    pub(crate) surroundings: Surroundings,
}

impl Setup {
    /// Servers that answer at once, for these programs.
    pub(crate) async fn start(programs: &Programs) -> Result<Self> {
        Self::start_in_step(&Lockstep::default(), &programs.functions, &programs.work).await
    }

    /// Servers that keep in step, for the functions in one folder. What the run needs is written
    /// into the other one.
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

    /// Of a `deliver-webhook` with the feature `bench`, in this folder: it trusts receivers with
    /// certificates of this run's authority, and resolves names by this run's name server.
    pub(crate) fn measured(&self, folder: &Path) -> Surroundings {
        Surroundings {
            programs: folder.to_owned(),
            variables: self.surroundings.variables.clone(),
        }
        .with("BENCH_AUTHORITY_FILE", self.authority.file.display())
        .with("BENCH_NAME_SERVER", self.names.address)
    }

    /// Of a function in JavaScript.
    pub(crate) fn node(&self) -> Surroundings {
        self.surroundings
            .with("NODE_EXTRA_CA_CERTS", self.authority.file.display())
    }
}
