//! The command line: which word calls which frontend.

use crate::error::ExitCode;
use crate::frontend::daemon::Services;
use crate::frontend::{daemon, gc, hook, leases, networks, nri, plan, uplink};
use crate::logging::to_stderr;
use crate::request::keys;

const USAGE: &str = "\
usage: pipework hook [--stage createRuntime|prestart|poststop]   serve an OCI runtime, state on stdin
       pipework plan [--annotation KEY=VALUE]...                 say what would be done; else state on stdin
       pipework keys [FIELD | --markdown]                        list or explain the annotations
       pipework networks [NAME]                                  list the named networks, or check and show one
       pipework gc                                               remove what dead containers left
       pipework daemon [--nri]                                   keep leases, in the foreground; attach pods
       pipework nri [--socket PATH] [--name NAME] [--index NN]   attach pods, in the foreground
       pipework leases [--json]                                  list the leases that are kept
       pipework leases release NAME                              give back those of a container
       pipework uplink add|confirm|del|list|snippet|--help           put a bridge in a NIC's place, and back
       pipework exit-codes                                       list the exit codes
       pipework --version | --help
";

/// Runs the command that `arguments` name, the program's own name left out.
pub fn run(arguments: &[String]) -> u8 {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hook"] => hook::run(None),
        ["hook", "--stage", stage] => hook::run(Some(stage)),
        ["hook", stage] if stage.starts_with("--stage=") => {
            hook::run(stage.strip_prefix("--stage="))
        }
        ["plan", rest @ ..] => match annotations(rest) {
            Some(annotations) => plan::run(&annotations),
            None => usage(),
        },
        ["keys"] => print(&keys::text(None)),
        ["keys", "--markdown"] => print(&keys::markdown_table()),
        ["keys", field] => print(&keys::text(Some(field))),
        ["networks"] => networks::run(None),
        ["networks", name] => networks::run(Some(name)),
        ["gc"] => gc::run(),
        ["daemon"] => daemon::run(Services::Leases),
        ["daemon", "--nri"] => daemon::run(Services::LeasesAndPods),
        ["nri", rest @ ..] => nri::run(rest),
        ["leases", rest @ ..] => leases::run(rest).unwrap_or_else(usage),
        ["uplink", rest @ ..] => uplink::run(rest),
        ["exit-codes"] => print(&exit_codes()),
        ["--version" | "-V" | "version"] => {
            print(concat!("pipework ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        ["--help" | "-h" | "help"] => print(USAGE),
        // A runtime starts its plugins without a word.
        [] if nri::is_passed() => nri::run_passed(),
        _ => usage(),
    }
}

/// Prints `text` and is done.
pub(super) fn print(text: &str) -> u8 {
    use std::io::Write;
    // Whoever reads us may stop before the end, as `head` does.
    let _ = std::io::stdout().write_all(text.as_bytes());
    0
}

fn usage() -> u8 {
    to_stderr(USAGE.trim_end());
    ExitCode::Usage as u8
}

/// `--annotation KEY=VALUE` as podman has it, any number of times.
fn annotations(words: &[&str]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--annotation=") {
            Some(pair) => pair,
            None if *word == "--annotation" => words.next()?,
            None => return None,
        };
        found.push(pair.to_owned());
    }
    Some(found)
}

fn exit_codes() -> String {
    let rows = ExitCode::TABLE
        .iter()
        .map(|(code, text)| format!("{:3}  {text}\n", *code as u8));
    std::iter::once("  0  success\n".to_owned())
        .chain(rows)
        .collect()
}
