//! One row of the table in one lab: what is given, the run, and what is looked
//! at afterwards.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::faults::{Said, Sight, faults};
use super::given::{Given, furnish, hide_ovs_vsctl};
use super::table::Case;
use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::{Container, Lab, PIPEWORK, ip};
use crate::support::vm::Nic;

/// How long one run may take; the script waits for some things for seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program to be judged.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    /// It is not ours: what is meant to differ is only told.
    pub is_other: bool,
}

impl Program {
    /// Ours.
    pub fn ours() -> Self {
        Self {
            path: PIPEWORK.into(),
            is_other: false,
        }
    }

    /// Ours as if it were another's.
    pub fn ours_as_another() -> Self {
        Self {
            path: PIPEWORK.into(),
            is_other: true,
        }
    }
}

/// Ours, and the one that `$PIPEWORK_CLASSIC` names.
pub fn programs() -> Vec<Program> {
    let other = std::env::var_os("PIPEWORK_CLASSIC").map(|path| Program {
        path: path.into(),
        is_other: true,
    });
    std::iter::once(Program::ours()).chain(other).collect()
}

/// Tells crun's state of a container, by which it is found.
fn tell(name: &str, pid: u32) {
    let folder = Path::new("/run/crun").join(name);
    fs::create_dir_all(&folder).unwrap();
    let status = format!("{{\"pid\":{pid},\"bundle\":\"/run/bundles/{name}\"}}\n");
    fs::write(folder.join("status"), status).unwrap();
}

/// Fails with what is missing for a row.
fn has(need: &str, place: &Place<'_>, program: &Program) -> Result<(), String> {
    let makes = |kind: &str| {
        let made = Command::new("ip")
            .args(["link", "add", "probe0", "type"])
            .args(kind.split(' '))
            .output();
        let made = made.is_ok_and(|output| output.status.success());
        if made {
            ip("link del probe0");
        }
        made
    };
    let there = match need {
        "macvlan" => crate::macvlan::is_here(),
        "vlan" => crate::vlan::is_here(),
        "dummy" => makes("dummy"),
        "bridge_vlan" => makes("bridge vlan_filtering 1"),
        "tc" => crate::support::lab::has("tc", "-V"),
        "no_docker" | "dad" | "ours" => !program.is_other,
        "card" => place.card.is_some(),
        // Those who give it know.
        "dhcp" | "infiniband" | "ovs" | "radio" => true,
        other => panic!("table.txt needs {other}"),
    };
    match there {
        true => Ok(()),
        false => Err(format!("kernel or program has no {need}")),
    }
}

/// `None` where it does not end.
pub fn start(program: &Program, words: &[String]) -> Option<Output> {
    let mut command = Command::new(&program.path);
    command
        .args(words)
        .env("PATH", "/run/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What a program says fits into its pipes.
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Some(child.wait_with_output().unwrap())
}

/// Where a row is run: the host's side, and a container there.
pub struct Place<'a> {
    lab: &'a Lab,
    container: Container,
    /// A network card of the host, where it is a machine with one.
    card: Option<Nic>,
}

impl<'a> Place<'a> {
    /// With a container of the lab's own.
    pub fn of_lab(lab: &'a Lab, card: Option<Nic>) -> Self {
        let container = lab.container("c1");
        tell("c1", container.pid());
        tell("stopped", 0);
        Self::new(lab, container, card)
    }

    /// With a container that somebody runs, whose name is c1.
    pub fn new(lab: &'a Lab, container: Container, card: Option<Nic>) -> Self {
        Self {
            lab,
            container,
            card,
        }
    }

    fn filled(&self, case: &Case) -> Case {
        let pid = self.container.pid().to_string();
        let (card, mac) = match &self.card {
            Some(card) => (card.name.as_str(), card.mac.as_str()),
            None => ("", ""),
        };
        let case = case.clone();
        case.filled(&[("{pid}", &pid), ("{card}", card), ("{mac}", mac)])
    }

    fn snapshots(&self) -> [Snapshot; 2] {
        [self.lab.snapshot(), self.inside()]
    }

    /// What the container has.
    pub fn inside(&self) -> Snapshot {
        self.lab.snapshot_of(&self.container)
    }

    fn look(&self, sight: Sight, words: &str, given: &Given) -> Result<String, String> {
        match sight {
            Sight::Host => said_by("ip", words),
            Sight::Bridge => said_by("bridge", words),
            Sight::Guest => self.lab.inside(&self.container, || said_by("ip", words)),
            Sight::Switch => Ok(given.switch.as_ref().unwrap().says(words)),
        }
    }
}

/// Runs one row and fails the test where something is not as it says. Returns what was
/// given, which may be needed to take back what the run did.
pub fn judge(place: &Place<'_>, case: &Case, program: &Program) -> Result<Given, String> {
    for need in &case.needs {
        has(need, place, program)?;
    }
    let case = &place.filled(case);
    if program.is_other && !case.needs("ovs") {
        hide_ovs_vsctl();
    }
    if program.is_other {
        furnish();
    }
    let mut given = Given::default();
    for line in &case.given {
        given.enter(line, place.lab, &place.container, program)?;
    }
    let (before, names) = (place.snapshots(), names());
    let output = start(program, &case.run);
    let faults = match &output {
        Some(output) => {
            let said = Said {
                code: output.status.code(),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            };
            let look = |sight, words: &str| place.look(sight, words, &given);
            let mut faults = faults(case, &said, &look);
            faults.extend(links_of(case, output, program, &names));
            faults
        }
        None => vec!["it does not end".to_owned()],
    };
    if program.is_other && case.is_fix {
        println!("case {}, {}: {faults:#?}", case.number, case.title);
        return Ok(given);
    }
    let title = format!("case {}, {}", case.number, case.title);
    assert!(faults.is_empty(), "{title}: {faults:#?}\n{output:?}");
    if case.unchanged {
        let after = place.snapshots();
        before[0].assert_equal(&after[0], "host");
        before[1].assert_equal(&after[1], "container");
    }
    Ok(given)
}

/// The names of namespaces.
fn names() -> HashSet<PathBuf> {
    let names = fs::read_dir("/var/run/netns").into_iter();
    names
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

/// The names of namespaces that a run left behind, which is cases 14 and 57: ours
/// makes none at all, the script leaves one when it fails.
fn links_of(
    case: &Case,
    output: &Output,
    program: &Program,
    before: &HashSet<PathBuf>,
) -> Option<String> {
    let names = names();
    let mut more = names.difference(before).peekable();
    let may_leave = program.is_other && (case.is_fix || !output.status.success());
    (more.peek().is_some() && !may_leave).then(|| format!("{:?}", more.collect::<Vec<_>>()))
}

fn said_by(program: &str, words: &str) -> Result<String, String> {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
