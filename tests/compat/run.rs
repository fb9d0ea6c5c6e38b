//! One row of the table in one lab: what is given, the run, and what is looked
//! at afterwards.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::faults::{Said, Sight, faults};
use super::table::Case;
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{Container, Lab, PIPEWORK, ip, run};

/// How long one run may take; the script waits for some things for seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program to be judged.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    /// It is not ours: what is meant to differ is only told.
    is_other: bool,
}

impl Program {
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
    let ours = Program {
        path: PIPEWORK.into(),
        is_other: false,
    };
    let other = std::env::var_os("PIPEWORK_CLASSIC").map(|path| Program {
        path: path.into(),
        is_other: true,
    });
    std::iter::once(ours).chain(other).collect()
}

/// A stand-in for `docker inspect` and `docker ps`, for a program that asks it
/// for the processes of this lab's containers.
const DOCKER: &str = r#"#!/bin/sh
for name; do :; done
file=/run/crun/$name/status
[ "$1" = inspect ] && [ -e "$file" ] || exit 1
sed 's/.*"pid":\([0-9]*\).*/\1/' "$file"
"#;

/// What another program needs: stand-ins, and the devices of the lab's own
/// namespace in /sys.
fn furnish() {
    fs::create_dir_all("/run/bin").unwrap();
    for (name, text) in [("docker", DOCKER), ("arping", "#!/bin/sh\n")] {
        let path = Path::new("/run/bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    run("mount", "-t sysfs sysfs /sys");
}

/// Tells crun's state of a container, by which it is found.
fn tell(name: &str, pid: u32) {
    let folder = Path::new("/run/crun").join(name);
    fs::create_dir_all(&folder).unwrap();
    let status = format!("{{\"pid\":{pid},\"bundle\":\"/run/bundles/{name}\"}}\n");
    fs::write(folder.join("status"), status).unwrap();
}

/// Fails with what is missing for a row.
fn has(need: &str, program: &Program) -> Result<(), String> {
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
        "no_docker" | "dad" => !program.is_other,
        "dhcp" => true,
        other => panic!("table.txt needs {other}"),
    };
    match there {
        true => Ok(()),
        false => Err(format!("kernel or program has no {need}")),
    }
}

/// What lives as long as a row.
#[derive(Default)]
struct Given {
    machines: Vec<Container>,
    servers: Vec<Scripted>,
    daemons: Vec<Daemon>,
}

impl Given {
    fn enter(&mut self, line: &str, lab: &Lab, container: &Container, program: &Program) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "nic" => self.machines.push(lab.nic(rest)),
            "lan" => self.machines.push(lab.lan(rest)),
            "dhcp" => {
                let machine = self.machines.last().unwrap();
                self.servers.push(Scripted::ordinary(lab, machine));
            }
            "daemon" | "docker" if program.is_other => {}
            "docker" => docker(),
            "daemon" => self.daemons.push(Daemon::start()),
            "inside" => lab.inside(container, || {
                ip(rest);
            }),
            "pipework" => {
                let words: Vec<String> = rest.split(' ').map(str::to_owned).collect();
                let output = start(program, &words).expect(line);
                assert!(output.status.success(), "{line}: {output:?}");
            }
            _ => {
                ip(line);
            }
        }
    }
}

/// Answers at Docker's socket, for as long as the tests run, that there is no
/// container.
fn docker() {
    let listener = UnixListener::bind("/run/docker.sock").unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok() {
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
}

/// `None` where it does not end.
fn start(program: &Program, words: &[String]) -> Option<Output> {
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

/// Runs one row and fails the test where something is not as it says.
pub fn judge(lab: &Lab, case: &Case, program: &Program) -> Result<(), String> {
    for need in &case.needs {
        has(need, program)?;
    }
    let container = lab.container("c1");
    tell("c1", container.pid());
    tell("stopped", 0);
    if program.is_other {
        furnish();
    }
    let pid = container.pid().to_string();
    let filled = |text: &str| text.replace("{pid}", &pid);
    let mut given = Given::default();
    for line in &case.given {
        given.enter(&filled(line), lab, &container, program);
    }
    let before = (lab.snapshot(), lab.snapshot_of(&container));
    let words: Vec<String> = case.run.iter().map(|word| filled(word)).collect();
    let output = start(program, &words);
    let faults = match &output {
        Some(output) => {
            let said = Said {
                code: output.status.code(),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            };
            let mut faults = faults(case, &said, &pid, &|sight, words| match sight {
                Sight::Host => said_by("ip", words),
                Sight::Bridge => said_by("bridge", words),
                Sight::Guest => lab.inside(&container, || said_by("ip", words)),
            });
            faults.extend(links_of(case, output, program));
            faults
        }
        None => vec!["it does not end".to_owned()],
    };
    if program.is_other && case.is_fix {
        println!("case {}, {}: {faults:#?}", case.number, case.title);
        return Ok(());
    }
    let title = format!("case {}, {}", case.number, case.title);
    assert!(faults.is_empty(), "{title}: {faults:#?}\n{output:?}");
    if case.unchanged {
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
    }
    Ok(())
}

/// The names of namespaces that a run left behind, which is cases 14 and 57: ours
/// makes none at all, the script leaves one when it fails.
fn links_of(case: &Case, output: &Output, program: &Program) -> Option<String> {
    let names: HashSet<PathBuf> = fs::read_dir("/var/run/netns")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let may_leave = program.is_other && (case.is_fix || !output.status.success());
    (!names.is_empty() && !may_leave).then(|| format!("{names:?}"))
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
