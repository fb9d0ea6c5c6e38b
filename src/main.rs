//! Calls the frontend that the command line names and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<String> = arguments
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    ExitCode::from(pipework::frontend::cli::run(&arguments))
}
