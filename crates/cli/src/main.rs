//! The program `webhooks`. What it does is in the library.

use std::io::stdout;
use std::process::ExitCode;

use clap::Parser;
use webhooks_cli::{Cli, Outcome};
use webhooks_terminal::Style;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let style = Style::of(&stdout());
    match Cli::parse().run(&mut stdout(), style).await {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::FAILURE,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(usage) => usage.exit(),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
