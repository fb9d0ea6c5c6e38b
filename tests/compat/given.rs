//! What is there before the run of a row, in a lab, and goes with the row.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::libc;

use super::run::{Program, start};
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{Container, Lab, cover, ip, run};
use crate::support::ovs::Ovs;
use crate::support::vm;
use crate::support::world::Skip;
use crate::wifi::Radios;

const DOCKER_SOCKET: &str = "/run/docker.sock";

/// What lives as long as a row.
#[derive(Default)]
pub struct Given {
    machines: Vec<Container>,
    servers: Vec<Scripted>,
    daemons: Vec<Daemon>,
    docker: Option<Docker>,
    devices: Vec<File>,
    radios: Option<Radios>,
    /// Open vSwitch, where a row asks for it.
    pub switch: Option<Switch>,
}

impl Given {
    /// Does what a line of the table says, or says what there is none of.
    pub fn enter(
        &mut self,
        line: &str,
        lab: &Lab,
        container: &Container,
        program: &Program,
    ) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "nic" => self.machines.push(lab.nic(rest)),
            "lan" => self.machines.push(lab.lan(rest)),
            "dhcp" => {
                let machine = self.machines.last().unwrap();
                self.servers.push(Scripted::ordinary(lab, machine));
            }
            "daemon" | "docker" if program.is_other => {}
            "docker" => self.docker = Some(Docker::listen()),
            "daemon" => self.daemons.push(Daemon::start()),
            "ovs" => self.switch = Some(Switch::start(lab, rest)?),
            "radio" => self.radios = Some(Radios::new().ok_or("kernel has no mac80211_hwsim")?),
            "infiniband" => self.devices.push(
                infiniband(rest)
                    .ok_or("no interface can be made here that says it is InfiniBand")?,
            ),
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
        Ok(())
    }
}

/// Docker's socket, where the answer is that there is no container.
struct Docker;

impl Docker {
    fn listen() -> Self {
        let listener = UnixListener::bind(DOCKER_SOCKET).unwrap();
        // The thread waits for as long as the tests run.
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
        Self
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        fs::remove_file(DOCKER_SOCKET).ok();
    }
}

/// Open vSwitch with one bridge.
pub struct Switch {
    ovs: Ovs,
    bridge: String,
}

impl Switch {
    fn start(lab: &Lab, bridge: &str) -> Result<Self, String> {
        let ovs = Ovs::start(lab).map_err(|Skip(reason)| reason)?;
        ovs.bridge(bridge);
        stand_in("ovs-vsctl", &ovs.vsctl_script());
        let bridge = bridge.to_owned();
        Ok(Self { ovs, bridge })
    }

    /// What `ovs-vsctl` says.
    pub fn says(&self, words: &str) -> String {
        self.ovs.vsctl(words)
    }
}

impl Drop for Switch {
    /// What the kernel switches would stay, where the namespace does.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ovs.vsctl(&format!("del-br {}", self.bridge));
        }
    }
}

/// A stand-in for `docker inspect` and `docker ps`, for a program that asks it
/// for the processes of this lab's containers.
const DOCKER: &str = r#"#!/bin/sh
for name; do :; done
file=/run/crun/$name/status
[ "$1" = inspect ] && [ -e "$file" ] || exit 1
sed 's/.*"pid":\([0-9]*\).*/\1/' "$file"
"#;

/// Another program asks Open vSwitch wherever it is installed, and says aloud that
/// there is no answer.
pub fn hide_ovs_vsctl() {
    let program = Path::new("/usr/bin/ovs-vsctl");
    if program.exists() {
        cover("/usr/bin").unwrap();
        fs::remove_file(program).unwrap();
    }
}

/// What another program needs: stand-ins, and the devices of the lab's own
/// namespace in /sys.
pub fn furnish() {
    for (name, text) in [("docker", DOCKER), ("arping", "#!/bin/sh\n")] {
        stand_in(name, text);
    }
    run("mount", "-t sysfs sysfs /sys");
}

/// A program in /run/bin, which is the first folder that a run looks in.
fn stand_in(name: &str, text: &str) {
    fs::create_dir_all("/run/bin").unwrap();
    let path = Path::new("/run/bin").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A tun device that says it is InfiniBand, for as long as the file is open.
#[allow(
    unsafe_code,
    reason = "nothing else lets a device say what it is, and only these tests need it"
)]
pub fn infiniband(name: &str) -> Option<File> {
    vm::load(&["tun"]);
    let mut options = File::options();
    let tun = options.read(true).write(true).open("/dev/net/tun").ok()?;
    // struct ifreq: 16 bytes of name, then a union of 24 that begins with flags.
    let mut request = [0u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request[16..18].copy_from_slice(&u16::try_from(flags).unwrap().to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one ifreq, which the array is long enough
    // for.
    let made = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    let layer = libc::c_ulong::from(libc::ARPHRD_INFINIBAND);
    // SAFETY: TUNSETLINK takes a number.
    let typed = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETLINK, layer) };
    (made == 0 && typed == 0).then_some(tun)
}
