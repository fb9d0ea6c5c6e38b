//! `--verify`: a real container of the runtime, whose only file is our own program,
//! and which ends well once its interface is there. It is plugged into a bridge of
//! its own that leads nowhere, so that it needs no image, card or address.

mod before;
mod pods;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use super::Runtime;
use super::containerd::{self, Way};
use super::docker;
use super::error::InstallError;
use super::interrupt::Interrupts;
use super::manifest::FOLDER;
use super::options::Options;
use super::program::Program;
use super::programs::{Until, find, run_well};
use super::target::Target;
use crate::deadline::Deadline;
use crate::frontend::cli::print;
use crate::frontend::doctor::host::has_pods;
use crate::request::{IfName, MacAddr};
use crate::rt::Bridge;
use crate::sys::block_on;
use crate::sys::rtnl::{Rtnl, RtnlError};

/// The bridge, which is there for as long as the container is.
const BRIDGE: &str = "brpwverify";
/// What a trial's things are called, before our pid.
const NAME: &str = "pipework-verify-";
/// How long taking away what was made for the trial may take, however long that
/// took: none of it shall stay because it was too slow.
const CLEAN_UP_TIME: Duration = Duration::from_secs(30);
/// What the container runs.
const WAIT: [&str; 6] = ["/pipework", "--wait", "-i", "eth1", "--timeout", "10"];
/// One of the blocks that tar(5) is made of, in bytes.
const BLOCK: usize = 512;

/// Runs one where the runtime is up. A runtime that is told of us by NRI has containers
/// in pods alone, which take more than a program: of those all is seen but that.
pub(super) fn verify(
    runtime: &Runtime,
    program: &Program,
    options: &Options,
    deadline: Deadline,
) -> Result<(), InstallError> {
    let Runtime { target, path, .. } = runtime;
    let target = *target;
    match (target, options.way) {
        (Target::Crio, _) | (Target::Containerd, Way::Nri) => {
            return match pods::verify(runtime, &program.path, deadline) {
                // Docker brings a containerd along, of which nobody asked for pods.
                Err(error) if options.is_all && !has_pods() => {
                    print(&format!("  {error}; no matter, there is no kubelet\n"));
                    Ok(())
                }
                other => other,
            };
        }
        (Target::Containerd, Way::Runtime) => before::containerd_has_read(&containerd::FILES)?,
        (Target::Podman | Target::Docker | Target::Nerdctl | Target::Program, _) => {}
    }
    let failed = |what: &str| InstallError::unverified(target, what);
    let bytes = fs::read(&program.path).map_err(InstallError::io("reading", &program.path))?;
    if is_dynamic(&bytes) {
        return Err(failed(
            "this build of pipework needs libraries that an empty container has not",
        ));
    }
    let interrupts = Interrupts::hold()?;
    let until = Until {
        deadline,
        interrupts: Some(&interrupts),
    };
    let bridge = TestBridge::make(deadline);
    let ran = before::permitted(target, deadline).and_then(|()| match target {
        Target::Podman => podman(path, &bytes, until),
        Target::Docker if docker::knows_us(deadline) != Some(true) => Err(failed(
            "dockerd does not run, or has not read its settings: --reload",
        )),
        Target::Docker => on_docker(&bytes, until),
        Target::Nerdctl | Target::Containerd => on_containerd(target, program, &bytes, until),
        Target::Crio | Target::Program => Ok(()),
    });
    InstallError::both(ran, bridge.remove())?;
    print("  verified: a container had its interface before its first instruction\n");
    Ok(())
}

fn name() -> String {
    format!("{NAME}{}", std::process::id())
}

fn annotations() -> [String; 2] {
    [
        format!("pipework.bridge={BRIDGE}"),
        "pipework.ip=0/0".to_owned(),
    ]
}

/// What podman and docker are told alike: a container with nothing but our interface.
fn alone<'a>([bridge, ip]: &'a [String; 2], name: &'a str) -> [&'a str; 10] {
    [
        "run",
        "--rm",
        "--name",
        name,
        "--network",
        "none",
        "--annotation",
        bridge,
        "--annotation",
        ip,
    ]
}

fn podman(path: &Path, bytes: &[u8], until: Until<'_>) -> Result<(), InstallError> {
    let root = Root::make(bytes)?;
    let (asks, name, place) = (annotations(), name(), root.0.display().to_string());
    let words = [&alone(&asks, &name)[..], &["--rootfs", &place], &WAIT].concat();
    let ran = run_well(path, &words, None, until).map(drop);
    let ended = match ran {
        Ok(()) => Ok(()),
        // A client that was killed leaves its container.
        Err(_) => clean_up(path, &["rm", "--force", "--ignore", &name]),
    };
    InstallError::both(InstallError::both(ran, ended), root.remove())
}

/// Takes away what a trial left, however the trial ended.
fn clean_up(program: &Path, words: &[&str]) -> Result<(), InstallError> {
    let done = run_well(program, words, None, Deadline::after(CLEAN_UP_TIME));
    done.map(drop).map_err(InstallError::stays(name()))
}

fn on_docker(bytes: &[u8], until: Until<'_>) -> Result<(), InstallError> {
    let target = Target::Docker;
    let docker = find("docker").ok_or(InstallError::NotThere { target })?;
    let (asks, name) = (annotations(), name());
    let image = archive("pipework", bytes);
    let imported = run_well(&docker, &["import", "-", &name], Some(image), until);
    let ours = ["--runtime", docker::NAME, &name];
    let words = [&alone(&asks, &name)[..], &ours, &WAIT].concat();
    let ran = imported.and_then(|_| run_well(&docker, &words, None, until).map(drop));
    let ended = match ran {
        Ok(()) => Ok(()),
        Err(_) => clean_up(&docker, &["rm", "--force", &name]),
    };
    let removed = clean_up(&docker, &["rmi", "--force", &name]);
    InstallError::both(InstallError::both(ran, ended), removed)
}

/// nerdctl and CRI tell containerd to call our runtime; so does its own client.
fn on_containerd(
    target: Target,
    program: &Program,
    bytes: &[u8],
    until: Until<'_>,
) -> Result<(), InstallError> {
    let none = || InstallError::unverified(target, "there is no ctr, containerd's own client");
    let ctr = find("ctr").ok_or_else(none)?;
    let root = Root::make(bytes)?;
    let ([bridge, ip], name) = (annotations(), name());
    let runtime = program.runtime.display().to_string();
    let place = root.0.display().to_string();
    let words = [
        "run",
        "--rm",
        "--runc-binary",
        &runtime,
        "--annotation",
        &bridge,
        "--annotation",
        &ip,
        "--rootfs",
        &place,
        &name,
    ];
    let ran = run_well(&ctr, &[&words[..], &WAIT].concat(), None, until).map(drop);
    if ran.is_err() {
        // It knows no word for "unless there is none", so what it says is no matter.
        let _ = clean_up(&ctr, &["task", "delete", "--force", &name]);
        let _ = clean_up(&ctr, &["container", "delete", &name]);
    }
    InstallError::both(ran, root.remove())
}

/// Whether a program asks for a loader (elf(5), PT_INTERP).
fn is_dynamic(bytes: &[u8]) -> bool {
    const INTERP: [u8; 4] = 3_u32.to_ne_bytes();
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at + length)?;
        let bytes = bytes.iter().rev();
        Some(bytes.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let header = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let (start, size, count) = header().unwrap_or_default();
    (0..count).any(|i| bytes.get(start + i * size..start + i * size + 4) == Some(&INTERP))
}

/// A file system with our program alone.
struct Root(PathBuf);

impl Root {
    fn make(bytes: &[u8]) -> Result<Self, InstallError> {
        // Nobody else installs now: others are of runs that were killed.
        let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let is_one = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(NAME))
        };
        for former in paths.filter(is_one) {
            Self(former).remove()?;
        }
        // Not below /run, which may be mounted so that nothing in it is run.
        let root = Self(Path::new(FOLDER).join(name()));
        let filled = root.fill(bytes);
        let removed = match filled {
            Ok(()) => Ok(()),
            Err(_) => root.remove(),
        };
        InstallError::both(filled, removed).map(|()| root)
    }

    fn fill(&self, bytes: &[u8]) -> Result<(), InstallError> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.mode(0o755).create(&self.0);
        made.map_err(InstallError::io("making", &self.0))?;
        let path = self.0.join("pipework");
        fs::write(&path, bytes).map_err(InstallError::io("writing", &path))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).map_err(InstallError::io("writing", &path))
    }

    fn remove(&self) -> Result<(), InstallError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(InstallError::io("removing", &self.0)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The bridge, unless somebody else made it. Made by us: a hook makes none whose name
/// may be one of Open vSwitch's while that does not answer.
struct TestBridge {
    is_ours: bool,
}

impl TestBridge {
    fn make(deadline: Deadline) -> Self {
        let mac = MacAddr::from_user_string(BRIDGE);
        let made = IfName::from_str(BRIDGE).ok().and_then(|name| {
            let bridge = Bridge {
                // The kernel chooses.
                ifindex: 0,
                name,
                mac,
                vlan_filtering: false,
            };
            let rtnl = Rtnl::open(deadline).ok()?;
            // A run that was killed may have left it.
            let made = block_on(rtnl.create_bridge(&bridge)).ok()?.is_ok();
            let there = block_on(rtnl.link_by_name(BRIDGE)).ok()?.ok()??;
            Some(made || there.mac == Some(mac.octets()))
        });
        Self {
            is_ours: made.unwrap_or_default(),
        }
    }

    fn remove(self) -> Result<(), InstallError> {
        if !self.is_ours {
            return Ok(());
        }
        let failed = |what: String| {
            let program = "rtnetlink".to_owned();
            InstallError::stays(BRIDGE)(InstallError::Program { program, what })
        };
        let rtnl = Rtnl::open(Deadline::after(CLEAN_UP_TIME));
        let rtnl = rtnl.map_err(|error| failed(error.to_string()))?;
        let removed = block_on(async {
            if let Some(link) = rtnl.link_by_name(BRIDGE).await? {
                rtnl.delete_link(link.ifindex).await?;
            }
            Ok::<(), RtnlError>(())
        });
        let removed = removed.map_err(|error| failed(error.to_string()))?;
        removed.map_err(|error| failed(error.to_string()))
    }
}

/// An archive of one program, as `docker import` takes it (tar(5), ustar).
fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    let fields: [(usize, String); 8] = [
        (0, name.to_owned()),
        (100, "0000755\0".to_owned()),
        (108, "0000000\0".to_owned()),
        (116, "0000000\0".to_owned()),
        (124, format!("{:011o}\0", bytes.len())),
        (136, "00000000000\0".to_owned()),
        // The sum is made with blanks in its own place.
        (148, "        0".to_owned()),
        (257, "ustar\x0000".to_owned()),
    ];
    let mut header = vec![0_u8; BLOCK];
    let put = |header: &mut Vec<u8>, at: usize, text: &str| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
    };
    for (at, text) in &fields {
        put(&mut header, *at, text);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, &format!("{sum:06o}\0 "));
    let padding = bytes.len().next_multiple_of(BLOCK) - bytes.len();
    header.extend_from_slice(bytes);
    header.resize(header.len() + padding + 2 * BLOCK, 0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::install::programs::run;

    #[test]
    fn tar_reads_the_archive() {
        let deadline = Deadline::after(Duration::from_secs(10));
        let archive = archive("pipework", b"\x7fELF...");
        let said = run(
            Path::new("/bin/tar"),
            &["-tvf", "-"],
            Some(archive),
            deadline,
        )
        .unwrap();
        assert!(said.is_well, "{}", said.err);
        assert!(said.out.starts_with("-rwxr-xr-x 0/0"), "{}", said.out);
        assert!(said.out.trim_end().ends_with("pipework"), "{}", said.out);
    }

    #[test]
    fn a_program_with_a_loader_is_known() {
        // Tests are.
        assert!(is_dynamic(&fs::read("/proc/self/exe").unwrap()));
        assert!(!is_dynamic(b"\x7fELF"));
        assert!(!is_dynamic(b""));
    }
}
