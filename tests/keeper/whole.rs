//! Hook and daemon together: a container's lease from its start to its end.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipework::dhcp::wire::{Message, MessageType};
use pipework::record::Kept;

use crate::crowd::Dnsmasq;
use crate::process::{Daemon, MOST_RESIDENT, store, within};
use crate::server::{Server, grants, timed};
use crate::support::lab::{Container, Lab, PIPEWORK, ip, ip_json, lab};
use crate::support::skip;

const ASKED: [&str; 3] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp",
    "pipework.dhcp.arp=off",
];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// Gives everybody the same address for ten seconds, to be renewed after two.
fn willing(message: &Message) -> Vec<Message> {
    let granted = grants(message, ADDRESS, 10).into_iter();
    granted.map(|answer| timed(answer, 2, 8)).collect()
}

fn leases() -> Vec<Kept> {
    let leases = store().leases().unwrap().into_iter();
    leases.map(Result::unwrap).collect()
}

fn address_of(lab: &Lab, container: &Container) -> Option<String> {
    let told = lab.inside(container, || ip_json("-4 addr show dev eth1"));
    let address = told[0]["addr_info"][0]["local"].as_str();
    address.map(str::to_owned)
}

#[test]
fn a_lease_is_got_by_the_hook_renewed_by_the_daemon_and_ends_with_the_container() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let before = lab.snapshot();
        let server = Server::start(lab, &machine, willing);
        let daemon = Daemon::start();
        // It listens before it has opened everything.
        std::thread::sleep(Duration::from_millis(200));
        let idle = daemon.descriptors();
        let mut web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(address_of(lab, &web).as_deref(), Some("10.0.0.50"));
        let [kept] = &leases()[..] else {
            panic!("{:?}", leases());
        };
        assert_eq!(kept.identity.name, "web");
        let listed = Command::new(PIPEWORK).args(["leases", "--json"]).output();
        let listed: serde_json::Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
        assert_eq!(listed[0]["dhcp4"]["address"], "10.0.0.50/24");

        let requests = || server.kinds().len();
        let at_start = requests();
        within("it is renewed twice", || {
            assert!(address_of(lab, &web).is_some(), "a gap");
            requests() >= at_start + 2
        });
        web.kill();
        lab.poststop("web").ok();
        within("the lease ends", || leases().is_empty());
        before.assert_equal(&lab.snapshot(), "host");
        within("it holds no more than before", || {
            daemon.open_files().len() <= idle
        });
        assert!(!server.kinds().contains(&MessageType::Release));
        assert_eq!(store().all().len(), 0);
    });
}

#[test]
fn a_container_that_starts_again_at_once_has_the_same_address_and_one_lease() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        for round in 0..3 {
            let mut web = lab.container("web");
            lab.attach(&web, &ASKED).ok();
            assert_eq!(
                address_of(lab, &web).as_deref(),
                Some("10.0.0.50"),
                "{round}"
            );
            assert_eq!(leases().len(), 1, "{round}");
            web.kill();
            lab.poststop("web").ok();
            drop(web);
            within("its lease ended", || leases().is_empty());
        }
        // Only the first had to look for a server.
        let discovers = server.kinds().into_iter();
        let discovers = discovers.filter(|kind| *kind == MessageType::Discover);
        assert_eq!(discovers.count(), 1);
    });
}

#[test]
fn a_start_in_the_background_comes_to_its_address_when_the_server_does() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let asked = [
            &ASKED[..],
            &[
                "pipework.dhcp.timeout=300ms",
                "pipework.dhcp.fallback=background",
            ],
        ];
        lab.attach(&web, &asked.concat()).ok();
        assert_eq!(address_of(lab, &web), None);
        let _server = Server::start(lab, &machine, willing);
        within("it has its address", || address_of(lab, &web).is_some());
        let known = store().read(&leases()[0].id.namespace).unwrap();
        assert!(known.complete.is_some());
    });
}

/// Starts the hook for a container, and does not wait for it.
fn begin(lab: &Lab, container: &Container, annotations: &[&str]) -> Child {
    let mut child = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            PIPEWORK,
            "hook",
            "--stage",
            "createRuntime",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let state = lab.state(container, annotations).to_string();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(state.as_bytes()).unwrap();
    child
}

#[test]
fn five_hundred_hooks_at_once_all_come_to_an_address_of_their_own() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        lab.inside(&machine, || ip("addr add 10.1.0.1/16 dev wire"));
        let options = ["--dhcp-range=10.1.1.0,10.1.9.255,255.255.0.0,10m"];
        let Some(_server) = Dnsmasq::start(lab, &machine, &options) else {
            skip!("there is no Debian root with dnsmasq");
        };
        let daemon = Daemon::start();
        let crowd: Vec<Container> = (0..500).map(|_| lab.any_container()).collect();
        let asked = [&ASKED[..], &["pipework.dhcp.timeout=25s"]].concat();
        let start = Instant::now();
        let mut hooks: Vec<Child> = Vec::new();
        for some in crowd.chunks(100) {
            hooks.extend(some.iter().map(|c| begin(lab, c, &asked)));
            // So many processes at once get no processor in time, whatever they ask for.
            std::thread::sleep(Duration::from_secs(1));
        }
        for hook in hooks {
            let output = hook.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{text}");
        }
        eprintln!("500 hooks were done after {:?}", start.elapsed());
        let mut addresses: Vec<String> = crowd
            .iter()
            .map(|container| address_of(lab, container).unwrap())
            .collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!((addresses.len(), leases().len()), (500, 500));
        let kib = daemon.resident();
        eprintln!("{kib} KiB");
        assert!(kib <= MOST_RESIDENT, "{kib} KiB");
    });
}
