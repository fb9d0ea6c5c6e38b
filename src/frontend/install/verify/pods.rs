//! What can be known of a runtime of pods without making one: that takes an image, a
//! network of the cluster's, and a rule that whoever installs does not write.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::before;
use crate::deadline::Deadline;
use crate::frontend::cli::print;
use crate::frontend::doctor::files;
use crate::frontend::doctor::finding::{Finding, Severity};
use crate::frontend::doctor::host::{Host, has_listener};
use crate::frontend::doctor::runtimes::{CRIO_SOCKETS, NRI_SOCKETS};
use crate::frontend::install::Runtime;
use crate::frontend::install::containerd;
use crate::frontend::install::error::InstallError;
use crate::frontend::install::target::Target;
use crate::frontend::nri::lock::{Served, is_running, is_served};
use crate::keeper;

/// How long a plugin that runs is waited for until it is connected: a runtime that was
/// restarted is found again within half a second.
const PATIENCE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(50);
/// What starts a plugin.
const START: &str = "systemctl enable --now pipework-nri, or kubectl apply -k packaging/kubernetes";
/// What has it be this program.
const RESTART: &str = "systemctl restart pipework-nri";
/// What tries a pod, with an interface as the examples have it.
const TRIAL: &str = "kubectl run trial --image=busybox:1 \
    --annotations=pipework.parent=eth0 --annotations=pipework.ip=192.168.1.50/24 -- sleep 60";

/// Verifies all of it, or says what is lacking; `path` is our own program.
pub(super) fn verify(
    runtime: &Runtime,
    path: &Path,
    deadline: Deadline,
) -> Result<(), InstallError> {
    let target = runtime.target;
    has_nri(target)?;
    let served = connected(target, deadline)?;
    is_of(target, &served)?;
    let build = build(target, &served, path)?;
    let is_required = target == Target::Containerd && containerd::is_required(&runtime.version);
    if is_required {
        before::containerd_has_read(&containerd::FILES)?;
    }
    is_readable(target, deadline)?;
    let Served { pid, version, .. } = served;
    let otherwise = match is_required {
        true => ", and makes no container without it",
        false => "",
    };
    print(&format!(
        "  verified: {} {version} tells our plugin of pods (process {pid}, {build}){otherwise}; \
         policy and networks are sound\n",
        target.word()
    ));
    if !keeper::is_there(deadline) {
        print(
            "  nobody keeps leases, so pods that ask for one are refused: \
             systemctl enable --now pipework.socket\n",
        );
    }
    print(&format!(
        "  no pod was made, for policy must list who may have what; to try one: {TRIAL}\n"
    ));
    Ok(())
}

fn lacking(target: Target, what: impl Into<String>, cure: impl Into<String>) -> InstallError {
    InstallError::Lacking {
        target,
        what: what.into(),
        cure: cure.into(),
    }
}

/// Whether the runtime runs, and somebody listens for plugins.
fn has_nri(target: Target) -> Result<(), InstallError> {
    if NRI_SOCKETS.into_iter().any(has_listener) {
        return Ok(());
    }
    let word = target.word();
    let own: &[&str] = match target {
        Target::Crio => &CRIO_SOCKETS,
        Target::Containerd
        | Target::Podman
        | Target::Docker
        | Target::Nerdctl
        | Target::Program => &[before::CONTAINERD],
    };
    Err(match own.iter().any(|socket| has_listener(socket)) {
        true => {
            let what = format!("it runs with NRI off: nobody answers at {}", NRI_SOCKETS[0]);
            lacking(target, what, format!("pipework install {word} --reload"))
        }
        false => lacking(target, "it does not run", format!("systemctl start {word}")),
    })
}

/// The plugin that a runtime is connected to.
fn connected(target: Target, deadline: Deadline) -> Result<Served, InstallError> {
    let end = deadline.sooner(PATIENCE);
    while is_running() && !is_served() && !end.has_passed() {
        thread::sleep(TICK);
    }
    Served::look().ok_or_else(|| match (is_served(), is_running()) {
        (true, _) => lacking(target, "our plugin is of another release", RESTART),
        (false, true) => {
            let what = "our plugin runs, and is connected to no runtime";
            lacking(target, what, "its log says why: journalctl -t pipework")
        }
        (false, false) => lacking(target, "no plugin of ours runs", START),
    })
}

/// Whether it is this runtime that is connected to the plugin; there may be two.
fn is_of(target: Target, served: &Served) -> Result<(), InstallError> {
    let Served {
        runtime, version, ..
    } = served;
    // CRI-O spells itself in several ways.
    if runtime.to_ascii_lowercase().replace('-', "") == target.word() {
        return Ok(());
    }
    let what = format!("our plugin is connected to {runtime} {version}");
    let cure = "one plugin serves one runtime: stop the other one's";
    Err(lacking(target, what, cure))
}

/// Which build the plugin is, in words. It must be the one at `path`; that of a container
/// has come in an image.
fn build(target: Target, served: &Served, path: &Path) -> Result<&'static str, InstallError> {
    let process = PathBuf::from(format!("/proc/{}", served.pid));
    let failed = |_| lacking(target, "our plugin has just ended", RESTART);
    let theirs = fs::metadata(process.join("root")).map_err(failed)?;
    let ours = fs::metadata("/").map_err(InstallError::io("looking at", "/"))?;
    if (theirs.dev(), theirs.ino()) != (ours.dev(), ours.ino()) {
        return Ok("in a container");
    }
    // Also where its file has been replaced since it began.
    let runs = fs::read(process.join("exe")).map_err(failed)?;
    let installed = fs::read(path).map_err(InstallError::io("reading", path))?;
    if runs != installed {
        let what = format!(
            "our plugin (process {}) is another build than {}",
            served.pid,
            path.display()
        );
        return Err(lacking(target, what, RESTART));
    }
    Ok("this program")
}

/// Whether what the administrator has written is as it must be.
fn is_readable(target: Target, deadline: Deadline) -> Result<(), InstallError> {
    let host = Host::look(deadline);
    let checks = [files::policy, files::networks, files::config];
    let mut found = checks.iter().flat_map(|check| check(&host));
    let wrong = found.find(|finding| finding.severity == Severity::Error);
    wrong.map_or(Ok(()), |wrong| {
        let Finding {
            subject,
            cause,
            cure,
            ..
        } = wrong;
        Err(lacking(target, format!("{subject}: {cause}"), cure))
    })
}
