//! The program `webhooks`. The library contains its commands.

use std::io::{self, stdout};
use std::process::ExitCode;

use clap::Parser;
use webhooks_cli::terminal::{Style, clean_lines};
use webhooks_cli::{Cli, Outcome, error_json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let style = Style::of(&stdout());
    let cli = Cli::parse();
    let wants_json = cli.wants_json();
    match cli.run(&mut stdout(), style).await {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::FAILURE,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(usage) => usage.exit(),
            // The reader of the output, such as `head`, has closed the pipe.
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                let text = if wants_json {
                    error_json(&error)
                } else {
                    format!("error: {error:#}")
                };
                eprintln!("{}", clean_lines(&text));
                ExitCode::FAILURE
            }
        },
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let printing = error.downcast_ref::<io::Error>();
    printing.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
