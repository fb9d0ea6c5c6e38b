//! The command line: which word calls which frontend.
//!
//! Read by hand, without a parser's crate: a command has a word or two of options,
//! the classic form is nobody's grammar, and a hook that reads none would carry all
//! of it. The table of commands is `commands`.

use crate::error::ExitCode;
use crate::frontend::commands::{self, help, usage_of};
use crate::frontend::completions::completions;
use crate::frontend::{
    attach, check, classic, daemon, detach, docker_plugin, doctor, gc, graph, hook, install,
    leases, list, networks, nri, plan, runtime, uplink, why,
};
use crate::logging::to_stderr;
use crate::request::keys;

const MANUAL: &str = include_str!("../../packaging/man/pipework.1");

/// Codes that are no [`ExitCode`] of an attachment.
const OTHER_CODES: [(u8, &str); 3] = [
    (0, "success"),
    (
        1,
        "check, gc, install: something is not as it should be; why: nothing is known; the classic form: refused",
    ),
    (127, "route, rule, tc: there is no ip or tc here"),
];

/// Runs the command that `arguments` name, the program's own name left out.
pub fn run(arguments: &[String]) -> u8 {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hook"] => hook::run(None),
        ["hook", "--stage", stage] => hook::run(Some(stage)),
        ["hook", stage] if stage.starts_with("--stage=") => {
            hook::run(stage.strip_prefix("--stage="))
        }
        ["runtime", first, ..] if !["--help", "-h"].contains(first) => {
            runtime::run(&std::env::args_os().skip(2).collect::<Vec<_>>())
        }
        ["--version" | "-V" | "version"] => {
            print(concat!("pipework ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        ["--help" | "-h" | "help"] => print(&help()),
        ["help", "--roff"] => print(&commands::synopsis()),
        ["help", command] => print(&usage_of(command)),
        [command, "--help" | "-h"] if *command != "uplink" && commands::is_command(command) => {
            print(&usage_of(command))
        }
        // A command with words that it does not have is no interface.
        [command, rest @ ..] if commands::is_command(command) => {
            run_command(command, rest).unwrap_or_else(|| usage(command))
        }
        // A runtime starts its plugins without a word.
        [] if nri::is_passed() => nri::run_passed(),
        words => classic::run(words),
    }
}

/// `None` where the command has no such words.
fn run_command(command: &str, rest: &[&str]) -> Option<u8> {
    match (command, rest) {
        ("attach", rest) => attach::run(rest),
        ("detach", rest) => detach::run(rest),
        ("list", rest) => list::run(rest),
        ("check", rest) => check::run(rest),
        ("why", [container]) => Some(why::run(container)),
        ("plan", rest) => annotations(rest).map(|annotations| plan::run(&annotations)),
        ("keys", []) => Some(print(&keys::text(None))),
        ("keys", ["--markdown"]) => Some(print(&keys::markdown_table())),
        ("keys", [field]) => Some(print(&keys::text(Some(field)))),
        ("networks", []) => Some(networks::run(None)),
        ("networks", [name]) => Some(networks::run(Some(name))),
        ("doctor", rest) => doctor::run(rest),
        ("graph", rest) => graph::run(rest),
        ("install", rest) => install::run(rest),
        ("gc", []) => Some(gc::run()),
        ("daemon", []) => Some(daemon::run()),
        ("daemon", ["--nri", rest @ ..]) => daemon::run_with_pods(rest),
        ("nri", rest) => Some(nri::run(rest)),
        ("docker-plugin", rest) => Some(docker_plugin::run(rest)),
        ("leases", rest) => leases::run(rest),
        ("uplink", rest) => Some(uplink::run(rest)),
        ("exit-codes", []) => Some(print(&exit_codes())),
        ("completions", [shell]) => completions(shell).map(|text| print(&text)),
        ("man", []) => Some(print(MANUAL)),
        (_, _) => None,
    }
}

/// Prints `text` and is done.
pub(super) fn print(text: &str) -> u8 {
    use std::io::Write;
    // Whoever reads us may stop before the end, as `head` does.
    let written = std::io::stdout().write_all(text.as_bytes());
    u8::from(written.is_err())
}

fn usage(command: &str) -> u8 {
    to_stderr(usage_of(command).trim_end());
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
    let [success, own, tool] = OTHER_CODES;
    let line = |(code, text): (u8, &str)| format!("{code:3}  {text}\n");
    [line(success), line(own)]
        .into_iter()
        .chain(rows)
        .chain([line(tool)])
        .collect()
}
