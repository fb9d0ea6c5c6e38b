//! A world of its own for a test that drives real runtimes: an overlay over a
//! cached Debian root, in namespaces and cgroups that end with the test.
//!
//! `world.sh` makes it and ends it; its life hangs on a pipe that the kernel
//! closes even when the test is killed, so nothing outlives a run. The caller's
//! network namespace is never touched: commands run inside the world only.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How long one command may take inside a world before it is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the shell's own pid into the world's cgroups, then becomes `nsenter`.
const ENTER: &str = r#"
pid=$1 secs=$2; shift 2
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 70; shift; done; shift
exec nsenter --target "$pid" --mount --pid --net --ipc --uts --cgroup --root --wd -- \
    timeout --kill-after=2 "$secs" "$@"
"#;

/// Why a world cannot be had here; the test that asked for it is skipped.
#[derive(Debug)]
pub struct Skip(pub String);

/// What a command inside a world left.
#[derive(Debug)]
pub struct Output {
    /// Its exit status; 124 when it was out of time.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Output {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(
            self.status.success(),
            "{}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.stdout
    }
}

/// A running world. Dropping it ends every process in it, and returns when its
/// cgroups are gone as well.
pub struct World {
    outer: Child,
    life: Option<ChildStdin>,
    init: u32,
    cgroups: Vec<String>,
}

impl World {
    /// Makes a world over the Debian `suite`, with the binary under test, its
    /// hooks.d files, and `/srv/image` to make containers of.
    pub fn enter(suite: &str) -> Result<World, Skip> {
        let world = World::without_containers(suite)?;
        world.furnish();
        Ok(world)
    }

    /// The same with nothing but the binary in it, which needs no compiler.
    pub fn without_containers(suite: &str) -> Result<World, Skip> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Skip(format!("a world of {suite} needs root")));
        }
        let world = World::start(&root(suite)?)?;
        world.install(&binary(), "/usr/bin/pipework");
        Ok(world)
    }

    fn start(root: &str) -> Result<World, Skip> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "pipework-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        // A session of its own: Ctrl-C reaches the test, and the end of the
        // pipe reaches the world.
        let mut outer = Command::new("setsid")
            .arg(support("world.sh"))
            .args([root, &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Skip(format!("setsid: {error}")))?;
        let life = outer.stdin.take();
        let mut ready = String::new();
        BufReader::new(outer.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let mut words = ready.split_whitespace().skip(1).map(String::from);
        let Some(init) = words.next().and_then(|pid| pid.parse().ok()) else {
            let mut reason = String::new();
            outer
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut reason)
                .unwrap();
            outer.wait().unwrap();
            return Err(Skip(format!(
                "no world can be made here: {}",
                reason.trim()
            )));
        };
        let world = World {
            outer,
            life,
            init,
            cgroups: words.collect(),
        };
        // Process 1 of the machine may be closed to us; then it is not compared.
        let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = network(&init.to_string());
        assert!(
            own.is_some() && own != network("self") && own != network("1"),
            "no network namespace of its own"
        );
        Ok(world)
    }

    /// Where a path inside the world is reached from outside. Symbolic links
    /// that are absolute lead out of the world: name real files.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// Process 1 of the world, as seen from outside.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// The cgroups that hold the world's processes.
    pub fn cgroups(&self) -> &[String] {
        &self.cgroups
    }

    /// Runs a command inside, for a minute at most.
    pub fn run(&self, argv: &[&str]) -> Output {
        let (mut stdout, mut stderr) = (unnamed_file(), unnamed_file());
        // Files and not pipes: a daemon that keeps them open delays nobody.
        let status = self
            .command(argv, PATIENCE)
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            .status()
            .unwrap();
        Output {
            status,
            stdout: content(&mut stdout),
            stderr: content(&mut stderr),
        }
    }

    /// Runs a line of shell inside.
    pub fn sh(&self, line: &str) -> Output {
        self.run(&["sh", "-c", line])
    }

    /// Starts a command inside and does not wait; it ends with the world at
    /// the latest. Its standard output is a pipe.
    pub fn spawn(&self, argv: &[&str]) -> Child {
        self.command(argv, Duration::from_secs(3600))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn command(&self, argv: &[&str], patience: Duration) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                ENTER,
                "sh",
                &self.init.to_string(),
                &patience.as_secs().to_string(),
            ])
            .args(&self.cgroups)
            .arg("--")
            .args(argv)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", "/root")
            .env("LC_ALL", "C")
            .env("PODMAN_IGNORE_CGROUPSV1_WARNING", "1")
            .stdin(Stdio::null());
        command
    }

    /// Copies a file of the machine into the world, executable.
    pub fn install(&self, from: &Path, inside: &str) {
        let to = self.path(inside);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a file inside the world.
    pub fn write(&self, inside: &str, text: &str) {
        let to = self.path(inside);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, text).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    }

    fn furnish(&self) {
        for file in hook_files() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            self.write(
                &format!("/usr/share/containers/oci/hooks.d/{name}"),
                &fs::read_to_string(&file).unwrap(),
            );
        }
        self.write("/etc/containers/containers.conf", CONTAINERS_CONF);
        self.install(&look(), "/srv/image/bin/look");
        self.sh("cd /srv/image && mkdir -p proc sys dev etc tmp && cp /usr/bin/busybox bin/ && ln -s busybox bin/sh")
            .ok();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.life.take());
        // world.sh bounds its own end.
        self.outer.wait().ok();
    }
}

/// Without systemd in the world, without limits that need a cgroup controller,
/// and without a kernel that has every nftables expression.
const CONTAINERS_CONF: &str = r#"[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
firewall_driver = "none"
"#;

/// The hooks.d files of this checkout, in the order of their names.
pub fn hook_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    files
}

/// The binary under test: `$PIPEWORK_BIN`, or the one that cargo built.
fn binary() -> PathBuf {
    std::env::var_os("PIPEWORK_BIN")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_pipework").into())
        .into()
}

fn support(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/support")
        .join(file)
}

/// The cached root of `suite`, made by the first test that asks for it.
pub fn root(suite: &str) -> Result<String, Skip> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/roots/make-root");
    // Who asks may be in a lab: packages come by the network that this process
    // was started in, and are kept in its folders.
    let output = Command::new("nsenter")
        .arg(format!("--target={}", std::process::id()))
        .args(["--net", "--mount", "--"])
        .arg(script)
        .arg(suite)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Skip(format!("make-root: {error}")))?;
    if !output.status.success() {
        return Err(Skip(format!(
            "there is no Debian {suite} root and none can be made"
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The compiled `look.c`, once per run.
fn look() -> PathBuf {
    static LOOK: LazyLock<Mutex<Option<PathBuf>>> = LazyLock::new(Mutex::default);
    let mut look = LOOK.lock().unwrap();
    look.get_or_insert_with(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("look");
        let cc = Command::new("cc")
            .args(["-O2", "-static", "-o"])
            .arg(&to)
            .arg(support("look.c"))
            .status();
        assert!(cc.unwrap().success(), "cc could not compile look.c");
        to
    })
    .clone()
}

fn unnamed_file() -> File {
    memfd_create("output", MFdFlags::MFD_CLOEXEC)
        .unwrap()
        .into()
}

fn content(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
