//! `pipework doctor [CHECK]... [--json]`: what on this host keeps containers from
//! their networks, why, and what to do about it.
//!
//! Looks and changes nothing, starts no program, and needs no root for what
//! everybody may see; what it could not see it says. One file per family of
//! checks; the table of them is `CHECKS`.

pub mod files;
pub mod finding;
mod forward;
pub(in crate::frontend) mod hooks;
pub(in crate::frontend) mod host;
mod kernel;
mod ovs;
mod package;
mod records;
mod rp_filter;
pub(in crate::frontend) mod runtimes;
mod uplinks;

use std::time::Duration;

use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::frontend::cli::print;
use crate::frontend::colour::{Paint, Tone};
use crate::frontend::given::Given;
use finding::{Finding, Severity};
use host::Host;

/// Everything is read in a fraction of it, unless somebody does not answer.
const TIME: Duration = Duration::from_secs(10);

/// One thing that is looked at.
struct Check {
    /// Its name, which does not change between releases.
    name: &'static str,
    /// What is right when nothing is found.
    well: &'static str,
    sight: Sight,
    look: fn(&Host) -> Vec<Finding>,
}

/// Who can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Everybody.
    Open,
    /// Root alone, who may read the records.
    Roots,
}

const fn check(name: &'static str, well: &'static str, look: fn(&Host) -> Vec<Finding>) -> Check {
    Check {
        name,
        well,
        sight: Sight::Open,
        look,
    }
}

/// The same for what only root can see.
const fn roots(check: Check) -> Check {
    Check {
        sight: Sight::Roots,
        ..check
    }
}

impl Check {
    fn findings(&self, host: &Host) -> Vec<Finding> {
        match self.sight {
            Sight::Roots if !host.is_root => vec![Finding::needs_root(self.well)],
            Sight::Open | Sight::Roots => (self.look)(host),
        }
    }
}

/// Everything that is looked at, in the order of the output.
const CHECKS: &[Check] = &[
    check("kernel", "Linux is new enough", kernel::version),
    check(
        "modules",
        "the kernel has what uplinks need",
        kernel::modules,
    ),
    check("program", "there is one pipework", files::program),
    check("hooks", "podman's hooks lead to us", hooks::check),
    roots(check(
        "nri",
        "runtimes of pods tell us of them",
        runtimes::nri,
    )),
    roots(check(
        "annotations",
        "runtimes hand our annotations on",
        runtimes::annotations,
    )),
    check("config", "the settings can be read", files::config),
    check("policy", "the policy can be read", files::policy),
    check(
        "networks",
        "all named networks can be read",
        files::networks,
    ),
    roots(check(
        "forward",
        "no firewall drops what bridges forward",
        forward::check,
    )),
    roots(check("stp", "bridges in use forward at once", uplinks::stp)),
    roots(check(
        "mac-filter",
        "cards in use carry further hardware addresses",
        uplinks::filtered,
    )),
    roots(check(
        "rp-filter",
        "containers hear on all their interfaces",
        rp_filter::check,
    )),
    check("ovs", "Open vSwitch is not installed, or well", ovs::check),
    roots(check("daemon", "leases are renewed", records::daemon)),
    roots(check(
        "records",
        "all records have an owner",
        records::check,
    )),
    roots(check(
        "failed",
        "every container that was asked for has started",
        records::failed,
    )),
    check(
        "dns",
        "the host's name servers can be reached by others",
        files::dns,
    ),
];

/// What the checks are called: for completions.
pub const WORDS: [&str; 18] = [
    "kernel",
    "modules",
    "program",
    "hooks",
    "nri",
    "annotations",
    "config",
    "policy",
    "networks",
    "forward",
    "stp",
    "mac-filter",
    "rp-filter",
    "ovs",
    "daemon",
    "records",
    "failed",
    "dns",
];

/// Makes the checks that the words name, or all. Exits with 0 where there is nothing
/// to do, with 1 after a warning, and with 2 after an error.
pub fn run(given: &Given) -> u8 {
    let names = given.words();
    let host = Host::look(Deadline::after(TIME));
    let meant = CHECKS
        .iter()
        .filter(|check| names.is_empty() || names.contains(&check.name));
    let looked: Vec<(&Check, Vec<Finding>)> =
        meant.map(|check| (check, check.findings(&host))).collect();
    print(&match given.has("--json") {
        true => json_text(&looked),
        false => text(&looked, Paint::of_stdout()),
    });
    let severities = looked
        .iter()
        .flat_map(|(_, findings)| findings)
        .map(|f| f.severity);
    match severities.max() {
        Some(Severity::Error) => 2,
        Some(Severity::Warning) => 1,
        Some(Severity::Ok | Severity::Note | Severity::Unseen) | None => 0,
    }
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Ok => Tone::Good,
        Severity::Note | Severity::Unseen => Tone::Quiet,
        Severity::Warning => Tone::Doubtful,
        Severity::Error => Tone::Bad,
    }
}

fn text(looked: &[(&Check, Vec<Finding>)], paint: Paint) -> String {
    let mut text = String::new();
    for (check, findings) in looked {
        let mut line = |severity: Severity, said: String| {
            let word = paint.dye(tone(severity), &format!("{:7}", severity.word()));
            text.push_str(&format!("{word}  {:11}  {said}\n", check.name));
        };
        if findings.is_empty() {
            line(Severity::Ok, check.well.to_owned());
        }
        for Finding {
            severity,
            subject,
            cause,
            cure,
        } in findings
        {
            line(
                *severity,
                format!("{subject}: {cause}\n{:22}cure: {cure}", ""),
            );
        }
    }
    text + &summary(looked)
}

/// `18 checks: 1 error, 2 warnings`.
fn summary(looked: &[(&Check, Vec<Finding>)]) -> String {
    let count = |severity: Severity| {
        let all = looked.iter().flat_map(|(_, findings)| findings);
        all.filter(|finding| finding.severity == severity).count()
    };
    let kinds = [
        (Severity::Error, "errors"),
        (Severity::Warning, "warnings"),
        (Severity::Note, "notes"),
        (Severity::Unseen, "not seen"),
    ];
    let told = kinds
        .into_iter()
        .filter(|(severity, _)| count(*severity) > 0);
    let told: Vec<String> = told
        .map(|(severity, word)| match count(severity) {
            1 => format!("1 {}", word.trim_end_matches('s')),
            several => format!("{several} {word}"),
        })
        .collect();
    let told = match told.is_empty() {
        true => "nothing to do".to_owned(),
        false => told.join(", "),
    };
    let checks = match looked.len() {
        1 => "1 check".to_owned(),
        several => format!("{several} checks"),
    };
    format!("{checks}: {told}\n")
}

/// A list with an entry for each finding, and one for each check that found
/// nothing.
fn json_text(looked: &[(&Check, Vec<Finding>)]) -> String {
    let mut entries = Vec::new();
    for (check, findings) in looked {
        if findings.is_empty() {
            let word = Severity::Ok.word();
            entries.push(json!({
                "check": check.name, "severity": word, "subject": null, "cause": null, "cure": null,
            }));
        }
        entries.extend(findings.iter().map(|finding| finding.json(check.name)));
    }
    format!("{:#}\n", Value::Array(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_of_cause_and_one_of_cure() {
        let finding = Finding::new(Severity::Error, "a\nb", "why\nso", "do\n it");
        let text = text(&[(&CHECKS[0], vec![finding])], Paint::Plain);
        assert_eq!(
            text,
            "error    kernel       a b: why so\n                      cure: do it\n1 check: 1 error\n"
        );
    }

    #[test]
    fn completions_know_every_check() {
        let names = CHECKS.iter().map(|check| check.name);
        assert!(WORDS.into_iter().eq(names));
    }

    #[test]
    fn the_worst_finding_is_the_largest() {
        let order = [
            Severity::Ok,
            Severity::Note,
            Severity::Unseen,
            Severity::Warning,
            Severity::Error,
        ];
        assert!(order.is_sorted());
    }
}
