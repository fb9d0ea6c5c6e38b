//! The command line: which word calls which frontend.
//!
//! The table of commands is `commands`, and `given` reads what stands behind one.
//! The words of hooks and runtimes are looked at here, before anything else; the
//! classic form has a grammar of its own.

use std::ffi::OsString;

use crate::error::ExitCode;
use crate::frontend::commands::{self, Command, help, named, usage_of};
use crate::frontend::completions::completions;
use crate::frontend::given::{Fault, Given};
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
        "check, gc, install: something is not as it should be; doctor: there is a warning; why: nothing is known; the classic form: refused",
    ),
    (127, "route, rule, tc: there is no ip or tc here"),
];

/// Runs the command that `arguments` name, the program's own name left out.
pub fn run(arguments: &[OsString]) -> u8 {
    let text: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let words: Vec<&str> = text.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        ["hook"] => hook::run(None),
        ["hook", "--stage", stage] => hook::run(Some(stage)),
        ["hook", stage] if stage.starts_with("--stage=") => {
            hook::run(stage.strip_prefix("--stage="))
        }
        ["runtime", first, ..] if !["--help", "-h"].contains(first) => {
            runtime::run(arguments.get(1..).unwrap_or_default())
        }
        ["--version" | "-V" | "version"] => {
            print(concat!("pipework ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        ["--help" | "-h" | "help"] => print(&help()),
        ["help", "--roff"] => print(&commands::synopsis()),
        ["help", command] => print(&usage_of(command)),
        // A runtime starts its plugins without a word.
        [] if nri::is_passed() => nri::run_passed(),
        [first, rest @ ..] => match named(first) {
            // With words that it does not have it is no interface.
            Some(command) => run_command(command, rest),
            None => classic::run(&words),
        },
        [] => classic::run(&words),
    }
}

fn run_command(command: &'static Command, rest: &[&str]) -> u8 {
    if command.name == "uplink" {
        return uplink::run(rest);
    }
    match Given::read(command, rest) {
        Ok(given) if given.wants_help => print(&command.usage()),
        Ok(given) => done(command.name, &given).unwrap_or_else(|| match given.fault(command) {
            Some(fault) => wrong(&fault, command),
            None => refuse(&command.usage()),
        }),
        Err(fault) => wrong(&fault, command),
    }
}

/// `None` where the command has no such words.
fn done(command: &str, given: &Given) -> Option<u8> {
    match (command, given.words().as_slice()) {
        ("attach", _) => attach::run(given),
        ("detach", _) => detach::run(given),
        ("list", _) => list::run(given),
        ("check", _) => check::run(given),
        ("why", [container]) => Some(why::run(container)),
        ("plan", _) => plan::run(given),
        ("keys", []) if given.has("--markdown") => Some(print(&keys::markdown_table())),
        ("keys", []) => Some(explain(None)),
        ("keys", [field]) => Some(explain(Some(field))),
        ("networks", _) => networks::run(given),
        ("doctor", _) => Some(doctor::run(given)),
        ("graph", _) => graph::run(given),
        ("install", _) => install::run(given),
        ("gc", []) => gc::run(given),
        ("daemon", _) => daemon::run(given),
        ("nri", _) => nri::run(given),
        ("docker-plugin", _) => docker_plugin::run(given),
        ("leases", _) => leases::run(given),
        ("exit-codes", []) => Some(print(&exit_codes())),
        ("exit-codes", [code]) => exit_code(code).map(|text| print(&text)),
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

/// The fields, or one of them.
fn explain(field: Option<&str>) -> u8 {
    match keys::text(field) {
        Ok(text) => print(&text),
        Err(unknown) => refuse(&format!("pipework: {unknown}")),
    }
}

/// Says what is wrong with the words behind `command`, and how it is meant.
pub(super) fn wrong(fault: &Fault, command: &Command) -> u8 {
    refuse(&format!("pipework: {fault}\n{}", command.usage()))
}

/// Says why a command line is not run.
pub(super) fn refuse(text: &str) -> u8 {
    to_stderr(text.trim_end());
    ExitCode::Usage as u8
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

/// One code, with what to know of it at three in the morning.
fn exit_code(code: &str) -> Option<String> {
    let mut table = ExitCode::TABLE.iter();
    if let Some((own, meaning)) = table.find(|(own, _)| (*own as u8).to_string() == code) {
        return Some(format!("{meaning}\n\n{}\n", own.paragraph()));
    }
    let mut others = OTHER_CODES.iter();
    let (_, meaning) = others.find(|(other, _)| other.to_string() == code)?;
    Some(format!("{meaning}\n"))
}
