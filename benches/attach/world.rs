//! The private machine that the benchmark runs in: its own network, mount and
//! process-id namespace, tmpfs on /run, a bridge, the C programs.
//!
//! `enter()` starts this program again as process 1 of the new namespaces; it
//! dies with its parent (PR_SET_PDEATHSIG), and with it, as the kernel rules,
//! every process inside, every namespace and every mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::binary;
use crate::contestant::Contestant;
use crate::error::BenchError;

/// The bridge that everybody attaches to.
pub const BRIDGE: &str = "br0";
/// The bridge's own address, the gateway of all containers.
pub const GATEWAY: &str = "10.77.0.1";
/// Carries the network namespaces outside, which must not be those inside.
const OUTSIDE: &str = "PIPEWORK_BENCH_OUTSIDE";
/// Our settings.
const SETTINGS: &str = "/etc/pipework";
/// What is written to /etc.
const COVER: &str = "/run/etc";
/// Our own corner of the tmpfs.
const TOOLS: &str = "/run/bench";

/// Whether this process was started by `enter()`.
pub fn is_inside() -> bool {
    std::env::var_os(OUTSIDE).is_some()
}

/// Runs this program again inside new namespaces; its exit code.
pub fn enter() -> Result<ExitCode, BenchError> {
    // The first process is out of sight where we may not trace it.
    let first = namespace("1").unwrap_or_default();
    let outside = format!("{} {first}", namespace("self")?);
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    flags.set(CloneFlags::CLONE_NEWNET, !is_throw_away());
    unshare(flags).map_err(BenchError::Namespaces)?;
    let program = std::env::current_exe().map_err(BenchError::io("our own path"))?;
    let status = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(OUTSIDE, outside)
        .status()
        .map_err(BenchError::io("starting inside"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(2)))
}

/// Whether the machine ends with the run, so that its initial network namespace
/// may be used, to which alone a network card comes back.
pub fn is_throw_away() -> bool {
    std::env::var_os("PIPEWORK_VM").is_some()
}

fn namespace(process: &str) -> Result<String, BenchError> {
    let path = format!("/proc/{process}/ns/net");
    let link = fs::read_link(&path).map_err(BenchError::io(path))?;
    Ok(link.to_string_lossy().into_owned())
}

/// What the measurements need to know of their surroundings.
#[derive(Debug)]
pub struct World {
    /// The folder of the C programs.
    pub tools: PathBuf,
    /// The binary under test, if it is built.
    pub ours: Option<PathBuf>,
    /// The Debian root with the peers, if there is one.
    pub root: Option<PathBuf>,
}

impl World {
    /// Mounts, builds and sets up what the races need.
    pub fn prepare() -> Result<Self, BenchError> {
        set_pdeathsig(Signal::SIGKILL).map_err(BenchError::Namespaces)?;
        mount_private()?;
        refuse_initial_namespace()?;
        let world = Self {
            tools: std::env::var_os("PIPEWORK_BENCH_TOOLS")
                .map_or_else(|| PathBuf::from(TOOLS), PathBuf::from),
            ours: Some(binary::path()).filter(|path| path.exists()),
            root: cached_root(),
        };
        world.compile()?;
        bridge()?;
        for contestant in Contestant::ALL {
            ip(&["netns", "add", contestant.namespace()])?;
            ip(&["-n", contestant.namespace(), "link", "set", "lo", "up"])?;
        }
        world.mount_into_root()?;
        Ok(world)
    }

    fn compile(&self) -> Result<(), BenchError> {
        // A machine without a compiler is given them.
        if self.tools != Path::new(TOOLS) {
            return Ok(());
        }
        let sources = binary::checkout().join("benches");
        // The bundle of an OCI state exists, as it does for a runtime.
        fs::create_dir_all(self.tools.join("bundle")).map_err(BenchError::io(TOOLS))?;
        for name in ["floor", "holder", "stopwatch", "true"] {
            run(Command::new("cc")
                .args(["-O2", "-static", "-Wall", "-Wextra", "-o"])
                .arg(self.tools.join(name))
                .arg(sources.join(format!("{name}.c"))))?;
        }
        Ok(())
    }

    // The cached root itself is never written to: these mounts are seen by us
    // only. /run comes with the namespaces that are mounted below it by now.
    fn mount_into_root(&self) -> Result<(), BenchError> {
        let Some(root) = &self.root else {
            return Ok(());
        };
        for name in ["proc", "dev", "run"] {
            attach_mount(
                Some(&Path::new("/").join(name)),
                &root.join(name),
                None,
                MsFlags::MS_BIND | MsFlags::MS_REC,
            )?;
        }
        Ok(())
    }
}

fn mount_private() -> Result<(), BenchError> {
    attach_mount(
        None,
        Path::new("/"),
        None,
        MsFlags::MS_PRIVATE | MsFlags::MS_REC,
    )?;
    attach_mount(None, Path::new("/proc"), Some("proc"), MsFlags::empty())?;
    attach_mount(None, Path::new("/run"), Some("tmpfs"), MsFlags::empty())?;
    // The machine's own policy would judge our bridge and addresses.
    let settings = Path::new(SETTINGS);
    if cover_etc().is_ok() {
        let _ = fs::remove_dir_all(settings);
    } else if settings.is_dir() {
        attach_mount(None, settings, Some("tmpfs"), MsFlags::empty())?;
    }
    Ok(())
}

/// Makes what is written below /etc this run's own, where the kernel can.
fn cover_etc() -> Result<(), BenchError> {
    for folder in ["upper", "work"].map(|name| Path::new(COVER).join(name)) {
        fs::create_dir_all(folder).map_err(BenchError::io(COVER))?;
    }
    let options = format!("lowerdir=/etc,upperdir={COVER}/upper,workdir={COVER}/work");
    let (kind, none) = (Some("overlay"), MsFlags::empty());
    mount(kind, "/etc", kind, none, Some(options.as_str())).map_err(|source| BenchError::Mount {
        path: PathBuf::from("/etc"),
        source,
    })
}

/// Has the runtime wrapper call `program`; false where that would write to the
/// machine's own settings.
pub fn wrap(program: &str) -> bool {
    // Only an overlay makes this folder.
    let is_covered = Path::new(COVER).join("work/work").exists();
    let text = format!("runtime = {program:?}\n");
    is_covered
        && fs::create_dir_all(SETTINGS).is_ok()
        && fs::write(Path::new(SETTINGS).join("config.toml"), text).is_ok()
}

fn attach_mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
) -> Result<(), BenchError> {
    mount(source, target, kind, flags, None::<&str>).map_err(|source| BenchError::Mount {
        path: target.to_owned(),
        source,
    })
}

fn refuse_initial_namespace() -> Result<(), BenchError> {
    let here = namespace("self")?;
    let outside = std::env::var(OUTSIDE).unwrap_or_default();
    if !is_throw_away() && outside.split(' ').any(|namespace| namespace == here) {
        return Err(BenchError::InitialNamespace);
    }
    Ok(())
}

/// The newest cached Debian root that has the peers (tests/roots/make-root).
fn cached_root() -> Option<PathBuf> {
    let cache = std::env::var_os("PIPEWORK_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/pipework"), PathBuf::from);
    let roots = cache.join("roots").read_dir().ok()?.flatten();
    roots
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"trixie-"))
        .map(|entry| entry.path())
        .filter(|root| root.join("usr/lib/podman/netavark").exists())
        .max_by_key(|root| root.metadata().and_then(|data| data.modified()).ok())
}

// The bridge has a MAC of its own, so that no port can change it.
fn bridge() -> Result<(), BenchError> {
    let address = format!("{GATEWAY}/16");
    ip(&["link", "set", "lo", "up"])?;
    ip(&[
        "link",
        "add",
        BRIDGE,
        "address",
        "02:00:00:00:00:01",
        "type",
        "bridge",
    ])?;
    ip(&["address", "add", &address, "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])
}

/// Runs iproute2, which must succeed.
pub fn ip(arguments: &[&str]) -> Result<(), BenchError> {
    run(Command::new("ip").args(arguments))
}

/// Runs a program that must succeed, outside of any measurement.
pub fn run(command: &mut Command) -> Result<(), BenchError> {
    let line = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(BenchError::io(line.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Command {
        command: line,
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
