//! A real server, dnsmasq of the Debian root, and many clients at once.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipework::dhcp::wire::Hardware;
use pipework::record::{Applied4, Kept};

use crate::process::{Daemon, MOST_RESIDENT, hand_over, lease_of, store, within};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::support::skip;
use crate::support::world::root;

/// Where it keeps what it gave.
const LEASES: &str = "/run/dnsmasq.leases";

/// A running dnsmasq, killed when this goes.
pub struct Dnsmasq(Child);

impl Dnsmasq {
    /// Starts it on `wire` of a machine of the lab; `None` without a root that
    /// has it. It runs from the root's files without entering it.
    pub fn start(lab: &Lab, machine: &Container, options: &[&str]) -> Option<Self> {
        let root = root("trixie").ok()?;
        let program = format!("{root}/usr/sbin/dnsmasq");
        fs::metadata(&program).ok()?;
        fs::remove_file(LEASES).ok();
        let libraries = format!("{root}/usr/lib/x86_64-linux-gnu");
        let child = lab.inside(machine, || {
            Command::new("setpriv")
                .args(["--pdeathsig", "KILL"])
                .arg(format!("{libraries}/ld-linux-x86-64.so.2"))
                .args(["--library-path", &libraries, &program])
                .args(["--no-daemon", "--conf-file=/dev/null", "--user=root"])
                .args(["--port=0", "--interface=wire", "--bind-interfaces"])
                .args(["--dhcp-authoritative", "--no-ping"])
                .arg(format!("--dhcp-leasefile={LEASES}"))
                .args(options)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        });
        Some(Self(child))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A container on the LAN that has been started without a lease
/// (`dhcp.fallback=background`).
pub fn waiting(lab: &Lab, number: u16) -> (Container, Kept) {
    let container = lab.container(&format!("c{number}"));
    let [high, low] = number.to_be_bytes();
    let pid = container.pid();
    ip(&format!(
        "link add to-{number} type veth peer name eth1 address 02:00:00:00:{high:02x}:{low:02x} netns {pid}"
    ));
    ip(&format!("link set to-{number} master br0 up"));
    let index = lab.inside(&container, || {
        ip("link set eth1 up");
        ip_json("link show eth1")[0]["ifindex"].as_u64().unwrap()
    });
    let mut kept = lease_of(&container, u32::try_from(index).unwrap());
    let kept4 = kept.dhcp4.as_mut().unwrap();
    kept4.config.hardware = Hardware::Ethernet([2, 0, 0, 0, high, low]);
    kept4.config.client_id = vec![1, 2, 0, 0, 0, high, low];
    kept4.bound = None;
    kept4.applied = Applied4::default();
    (container, kept)
}

fn address_of(lab: &Lab, container: &Container) -> Option<String> {
    let told = lab.inside(container, || ip_json("-4 addr show dev eth1"));
    let address = told[0]["addr_info"][0]["local"].as_str();
    address.map(str::to_owned)
}

#[test]
fn dnsmasq_gives_renews_and_takes_back() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = ["--dhcp-range=10.0.0.100,10.0.0.200,2m"];
        let Some(_server) = Dnsmasq::start(lab, &machine, &options) else {
            skip!("there is no Debian root with dnsmasq");
        };
        let daemon = Daemon::start();
        let (mut web, mut kept) = waiting(lab, 1);
        kept.release = true;
        hand_over(&kept);
        let on_disk = || store().lease(&kept.id).unwrap().unwrap();
        let bound = || on_disk().dhcp4.unwrap().bound;
        within("it has a lease", || {
            address_of(lab, &web).is_some() && bound().is_some()
        });
        daemon.kill();
        // Two minutes are the least that dnsmasq gives, and one of them passes.
        let mut older = on_disk();
        let first = older.dhcp4.as_mut().unwrap().bound.as_mut().unwrap();
        first.since = first.since.saturating_sub(Duration::from_secs(60));
        let first = first.clone();
        store().keep_lease(&older).unwrap();
        let _daemon = Daemon::start();
        within("it is renewed", || bound().unwrap().since > first.since);
        assert_eq!(bound().unwrap().lease.address, first.lease.address);
        let address = first.lease.address.addr().to_string();
        let knows = || fs::read_to_string(LEASES).unwrap().contains(&address);
        assert!(knows());
        web.kill();
        within("dnsmasq has it back", || !knows());
    });
}

#[test]
fn five_hundred_at_once_all_come_to_an_address_of_their_own() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        lab.inside(&machine, || ip("addr add 10.1.0.1/16 dev wire"));
        let options = ["--dhcp-range=10.1.1.0,10.1.9.255,255.255.0.0,10m"];
        let Some(_server) = Dnsmasq::start(lab, &machine, &options) else {
            skip!("there is no Debian root with dnsmasq");
        };
        let crowd: Vec<(Container, Kept)> = (1..=500).map(|number| waiting(lab, number)).collect();
        for (_, kept) in &crowd {
            store().keep_lease(kept).unwrap();
        }
        let start = Instant::now();
        let daemon = Daemon::start();
        let mut missing: Vec<&Container> = crowd.iter().map(|(container, _)| container).collect();
        let mut addresses = Vec::new();
        while start.elapsed() < Duration::from_secs(120) && !missing.is_empty() {
            missing.retain(|container| match address_of(lab, container) {
                Some(address) => {
                    addresses.push(address);
                    false
                }
                None => true,
            });
        }
        eprintln!("500 leases after {:?}", start.elapsed());
        assert!(missing.is_empty(), "{} have none", missing.len());
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 500);
        // Nobody waits for an answer any more: one pidfd each.
        within("the sockets are closed", || daemon.descriptors() < 500 + 20);
        let kib = daemon.resident();
        eprintln!("{kib} KiB");
        assert!(kib <= MOST_RESIDENT, "{kib} KiB");
    });
}
