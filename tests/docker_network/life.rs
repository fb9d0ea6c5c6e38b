//! Whoever is killed, restarted or not told: containers stay on their networks,
//! and nothing of those that ended is left.

use crate::lan::eventually;
use crate::plugin::{Lan, ON_BR0};
use crate::server::{leases, serve, start_daemon};

fn web(lan: &Lan) -> String {
    lan.docker(&format!("network create {ON_BR0} lan")).ok();
    lan.docker("run -d --name web --network lan --ip 10.0.0.5 bb /bin/look stay")
        .ok();
    lan.look("web")
}

pub fn the_plugin_may_be_killed_and_started_at_any_time(lan: &Lan) {
    let seen = web(lan);
    lan.kill_plugin();
    lan.sh("ping -c 1 -W 5 10.0.0.5").ok();
    lan.start_plugin();
    assert_eq!(lan.look("web"), seen);
    lan.docker("restart -t 1 web").ok();
    assert_eq!(lan.look("web"), seen);
    // Its network was told to a plugin that is gone.
    lan.docker("run --rm --network lan bb /bin/look").ok();
    lan.docker("rm -f web").ok();
    lan.docker("network rm lan").ok();
}

pub fn dockerd_may_be_killed_while_containers_live_on(lan: &Lan) {
    let seen = web(lan);
    lan.end("KILL");
    lan.sh("ping -c 1 -W 5 10.0.0.5").ok();
    lan.kill_plugin();
    lan.start_plugin();
    lan.start();
    assert_eq!(lan.look("web"), seen);
    lan.end("TERM");
    lan.sh("ping -c 1 -W 5 10.0.0.5").ok();
    lan.start();
    assert_eq!(lan.look("web"), seen);
    lan.docker("stop -t 1 web").ok();
    lan.assert_no_endpoint();
    lan.docker("start web").ok();
    assert_eq!(lan.look("web"), seen);
    lan.docker("rm -f web").ok();
    lan.docker("network rm lan").ok();
}

pub fn without_live_restore_dockerd_brings_containers_back_as_they_were(lan: &Lan) {
    lan.end("TERM");
    lan.sh("sed -i '/live-restore/d' /etc/docker/daemon.json")
        .ok();
    lan.start();
    lan.docker(&format!(
        "network create {ON_BR0} --ipam-driver pipework lan"
    ))
    .ok();
    let run = "run -d --stop-timeout 1 --network lan";
    for own in [
        "--restart always --name fixed --ip 10.0.0.5",
        "--restart always --name pooled",
        "--name once",
    ] {
        lan.docker(&format!("{run} {own} bb /bin/look stay")).ok();
    }
    let look = || [lan.look("fixed"), lan.look("pooled")];
    let seen = look();
    let is_back = || {
        let runs = |name: &str| {
            lan.docker(&format!("exec {name} /bin/look"))
                .status
                .success()
        };
        runs("fixed") && runs("pooled")
    };
    let said = || lan.sh("tail -n 30 /tmp/dockerd.log").stdout;
    // Told to end, it ends its containers first; killed, it does that when it starts.
    for signal in ["TERM", "KILL"] {
        lan.end(signal);
        if signal == "TERM" {
            lan.assert_no_endpoint();
        }
        lan.start();
        assert!(eventually(is_back), "{signal}: {}", said());
        assert_eq!(look(), seen, "{signal}");
        assert_eq!(lan.kept("endpoints").len(), 2, "{signal}");
        let running = lan.docker("ps --format '{{.Names}}'").ok();
        assert!(!running.contains("once"), "{running}");
    }
    lan.docker("rm -f fixed pooled once").ok();
    lan.docker("network rm lan").ok();
}

pub fn fifty_that_come_and_go_leave_nothing_and_twenty_start_at_once(lan: &Lan) {
    lan.docker(&format!(
        "network create {ON_BR0} --ipam-driver pipework --ip-range 10.0.0.128/27 lan"
    ))
    .ok();
    // More than the range has addresses.
    for round in 0..10 {
        let start = "for i in 1 2 3 4 5; do docker run --rm --network lan bb /bin/look >/dev/null & done; wait";
        let started = lan.sh(start);
        assert!(started.status.success(), "{round}: {}", started.stderr);
    }
    lan.assert_no_endpoint();
    let start = "for i in $(seq 20); do \
                 docker run -d --name c$i --network lan bb /bin/look stay >/dev/null || echo failed & \
                 done; wait";
    let started = lan.sh(start).ok();
    assert_eq!(started, "", "{}", lan.sh("cat /tmp/plugin.log").stdout);
    let ids = lan.docker("ps -q").ok().replace('\n', " ");
    let format = "{{.NetworkSettings.Networks.lan.IPAddress}}";
    let mut addresses: Vec<String> = lan
        .docker(&format!("inspect -f '{format}' {ids}"))
        .ok()
        .lines()
        .map(String::from)
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 20);
    let is_of_range = |address: &String| {
        let last: u8 = address.rsplit('.').next().unwrap().parse().unwrap();
        (128..160).contains(&last)
    };
    assert!(addresses.iter().all(is_of_range), "{addresses:?}");
    lan.docker(&format!("rm -f {ids}")).ok();
    lan.docker("network rm lan").ok();
}

/// Everything that a reboot ends, and another boot's id in what it leaves.
fn reboot(lan: &Lan) {
    lan.end("KILL");
    lan.kill_plugin();
    lan.sh(
        "kill -9 $(pidof look containerd-shim-runc-v2 containerd dockerd) $(pgrep -xf 'pipework daemon')
         for i in $(seq 600); do
             pidof look containerd >/dev/null || pgrep -xf 'pipework daemon' >/dev/null || break
             sleep 0.05
         done
         for path in /run/docker/netns/* /run/pipework/docker/*; do umount $path; done
         for link in $(ip -o link | grep -o ' pw[^:@]*'); do ip link del $link; done
         rm -rf /run/pipework /run/docker /run/docker.pid
         find /var/lib/pipework -type f -exec \
             sed -i s/$(cat /proc/sys/kernel/random/boot_id)/00000000-0000-4000-8000-000000000000/ {} +",
    );
}

pub fn after_a_reboot_containers_are_back_and_lasting_addresses_were_never_free(lan: &Lan) {
    lan.docker(&format!(
        "network create {ON_BR0} --ipam-driver pipework --aux-address printer=10.0.0.2 lan"
    ))
    .ok();
    lan.docker("run -d --restart always --name web --network lan bb /bin/look stay")
        .ok();
    let seen = lan.look("web");
    reboot(lan);
    lan.start_plugin();
    lan.start();
    let is_back = || lan.docker("exec web /bin/look").status.success();
    assert!(
        eventually(is_back),
        "{}",
        lan.sh("tail -n 30 /tmp/dockerd.log").stdout
    );
    assert_eq!(lan.look("web"), seen);
    assert_eq!(lan.kept("endpoints").len(), 1);
    for address in ["10.0.0.1", "10.0.0.2"] {
        let holder = lan
            .sh(&format!("cat /var/lib/pipework/pools/docker@*/{address}"))
            .ok();
        assert!(holder.contains("lasting"), "{address}: {holder}");
    }
    lan.docker("rm -f web").ok();
    lan.docker("network rm lan").ok();
}

/// The server runs elsewhere, and hears nothing of it.
pub fn after_a_reboot_a_leased_container_has_its_address_again(lan: &Lan) {
    serve(lan);
    lan.docker("network create -d pipework -o bridge=br0 -o dhcp=true --ipam-driver null home")
        .ok();
    lan.docker("run -d --restart always --name web --network home bb /bin/look stay")
        .ok();
    let seen = lan.look("web");
    let shown = || {
        let known = lan.inspect("web", "home");
        ["IPAddress", "MacAddress", "Gateway"].map(|key| known[key].as_str().unwrap().to_owned())
    };
    let before = shown();
    assert!(before[0].starts_with("10.0.0.1"), "{before:?}");
    reboot(lan);
    assert_eq!(lan.kept("endpoints").len(), 1);
    let heard = lan.said("dnsmasq").lines().count();
    start_daemon(lan);
    lan.start_plugin();
    lan.start();
    let is_back = || lan.docker("exec web /bin/look").status.success();
    let said = || lan.sh("tail -n 30 /tmp/dockerd.log /tmp/plugin.log").stdout;
    assert!(eventually(is_back), "{}", said());
    assert_eq!(shown(), before, "{}", said());
    assert_eq!(lan.look("web"), seen);
    // By INIT-REBOOT (RFC 2131 §3.2): the first that the server hears names the address.
    let log = lan.said("dnsmasq");
    let is_of_client =
        |line: &&str| line.contains("DHCPDISCOVER(") || line.contains("DHCPREQUEST(");
    let first = log.lines().skip(heard).find(is_of_client);
    let first = first.unwrap_or_default();
    assert!(
        first.contains(&format!("DHCPREQUEST(lan0) {}", before[0])),
        "{log}"
    );
    assert_eq!(lan.kept("endpoints").len(), 1);
    // The daemon keeps it, and nothing of the former boot beside it.
    let has_lifetime = || {
        let shown = lan.docker("exec web /bin/busybox ip addr show eth0").ok();
        shown.contains(&before[0]) && !shown.contains("forever")
    };
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    assert_eq!(leases(lan).len(), 1);
    lan.docker("rm -f web").ok();
    lan.assert_no_endpoint();
    assert!(eventually(|| leases(lan).is_empty()), "{:?}", leases(lan));
    lan.docker("network rm home").ok();
}
