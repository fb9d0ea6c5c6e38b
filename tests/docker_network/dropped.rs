//! What dockerd removed while no plugin was there, and the plugin as a part of the
//! daemon.

use serde_json::Value;

use crate::lan::eventually;
use crate::plugin::{Lan, ON_BR0};
use crate::server::{DNSMASQ, SERVER, leases, start_daemon_by};

/// dockerd tries for a while to tell of it, and then has no such network any more.
fn remove_unheard(lan: &Lan, network: &str) {
    let line = format!("sh -c 'docker network rm {network}; echo that is all'");
    lan.run_in_background("rm", &line);
    // Longer than a command here may take.
    let has_ended = || {
        let wait =
            "for i in $(seq 500); do grep -q all /tmp/rm.log && exit 0; sleep 0.1; done; exit 1";
        lan.sh(wait).status.success()
    };
    assert!(has_ended() || has_ended() || has_ended());
    assert_eq!(lan.said("rm"), format!("{network}\nthat is all\n"));
}

/// Starts the plugin anew until `is_so`: it looks when it starts, and dockerd may have
/// been too busy for an answer.
#[track_caller]
pub fn look_until(lan: &Lan, is_so: impl Fn() -> bool) {
    let looks = || {
        lan.kill_plugin();
        lan.start_plugin();
        eventually(&is_so)
    };
    assert!((0..6).any(|_| looks()), "{}", lan.plugin_log());
}

/// How many of the networks that are kept dockerd's list has had.
pub fn listed(lan: &Lan) -> usize {
    let files = "/var/lib/pipework/docker/networks/*";
    let found = lan
        .sh(&format!("grep -l '\"listed_by\":\"' {files}"))
        .stdout;
    found.lines().count()
}

pub fn a_network_removed_while_no_plugin_was_there_ends_with_its_pool(lan: &Lan) {
    let ours = "--ipam-driver pipework";
    let on_br0 = "-d pipework -o bridge=br0 --subnet 10.0.1.0/24";
    lan.docker(&format!("network create {ON_BR0} {ours} lan"))
        .ok();
    lan.docker(&format!("network create {on_br0} {ours} other"))
        .ok();
    lan.docker("run --rm --network lan bb /bin/look").ok();
    let pools = || lan.sh("ls -d /var/lib/pipework/pools/docker@*").ok();
    assert_eq!(pools().lines().count(), 2);
    look_until(lan, || listed(lan) == 2);
    lan.kill_plugin();
    remove_unheard(lan, "lan");
    assert_eq!(lan.kept("networks").len(), 2);
    // Without dockerd nobody knows; it looks as it starts.
    lan.end("TERM");
    lan.start_plugin();
    lan.sh("sleep 2").ok();
    assert_eq!(lan.kept("networks").len(), 2);
    lan.start();
    look_until(lan, || {
        lan.kept("networks").len() == 1 && lan.kept("pools").len() == 1
    });
    assert!(
        eventually(|| pools().lines().count() == 1),
        "{}",
        lan.plugin_log()
    );
    let seen = lan.docker("run --rm --network other bb /bin/look").ok();
    assert!(seen.contains("addr eth0 10.0.1."), "{seen}");
    // The same again is another network.
    lan.docker(&format!("network create {ON_BR0} {ours} lan"))
        .ok();
    let seen = lan.docker("run --rm --network lan bb /bin/look").ok();
    assert!(seen.contains("addr eth0 10.0.0."), "{seen}");
    lan.docker("network rm lan other").ok();
}

/// What doctor says of records, and the id by which it names a network.
fn named_by_doctor(lan: &Lan) -> Vec<String> {
    let findings = lan.sh("pipework doctor records --json").stdout;
    let findings: Value = serde_json::from_str(&findings).unwrap();
    let cures = findings.as_array().unwrap().iter();
    let cures = cures.filter_map(|finding| finding["cure"].as_str());
    let ids = cures.filter_map(|cure| Some(cure.split_once("gc --docker-network ")?.1.to_owned()));
    ids.collect()
}

pub fn a_network_of_a_docker_whose_data_was_wiped_is_named_and_ends_by_hand(lan: &Lan) {
    let make = |name: &str, subnet: &str| {
        let line = format!("-d pipework -o bridge=br0 --subnet {subnet} --ipam-driver pipework");
        let id = lan.docker(&format!("network create {line} {name}")).ok();
        id.trim().to_owned()
    };
    let lost = make("lan", "10.0.0.0/24");
    look_until(lan, || listed(lan) == 1);
    assert_eq!(named_by_doctor(lan), [""; 0]);
    lan.end("TERM");
    lan.sh("rm -rf /var/lib/docker/*").ok();
    let end = |id: &str| lan.sh(&format!("pipework gc --docker-network {id}"));
    // Whoever is silent may have it.
    let refused = end(&lost);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    lan.start();
    let had = make("other", "10.0.1.0/24");
    // Nothing ends it by itself.
    look_until(lan, || listed(lan) == 2);
    assert_eq!(lan.kept("networks").len(), 2);
    assert_eq!(named_by_doctor(lan), [&lost[..12]]);
    let refused = end(&had);
    assert!(
        refused.stderr.contains("docker network rm"),
        "{}",
        refused.stderr
    );
    let ended = end(&named_by_doctor(lan)[0]).ok();
    assert_eq!(ended, format!("ended the network {lost} with its pools\n"));
    let left = (lan.kept("networks").len(), lan.kept("pools").len());
    assert_eq!(left, (1, 1));
    assert_eq!(named_by_doctor(lan), [""; 0]);
    lan.docker("network rm other").ok();
}

pub fn the_daemon_is_dockers_driver_too_where_it_is_told_so(lan: &Lan) {
    lan.kill_plugin();
    lan.sh("rm /run/docker/plugins/pipework.sock").ok();
    lan.sh(SERVER).ok();
    lan.run_in_background("dnsmasq", DNSMASQ);
    start_daemon_by(lan, "pipework daemon --docker");
    let listens = || {
        let there = lan.sh("test -S /run/docker/plugins/pipework.sock");
        there.status.success()
    };
    assert!(eventually(listens), "{}", lan.said("daemon"));
    lan.docker("network create -d pipework -o bridge=br0 -o dhcp=true --ipam-driver null home")
        .ok();
    lan.docker("run -d --name web --network home bb /bin/look stay")
        .ok();
    let known = lan.inspect("web", "home");
    let address = known["IPAddress"].as_str().unwrap().to_owned();
    assert!(address.starts_with("10.0.0.1"), "{known}");
    assert!(lan.look("web").contains(&format!("addr eth0 {address}/24")));
    assert_eq!(leases(lan).len(), 1);
    // There is one at a time, and whoever comes later hears who it is.
    let refused = lan.sh("pipework docker-plugin");
    assert!(refused.stderr.contains("docker.lock"), "{}", refused.stderr);
    lan.docker("rm -f web").ok();
    lan.assert_no_endpoint();
    lan.docker("network rm home").ok();
}
