//! Whoever is killed, restarted or not told: containers stay on their networks,
//! and nothing of those that ended is left.

use crate::plugin::{Lan, ON_BR0};

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
    lan.kill();
    lan.sh("ping -c 1 -W 5 10.0.0.5").ok();
    lan.kill_plugin();
    lan.start_plugin();
    lan.start();
    assert_eq!(lan.look("web"), seen);
    lan.docker("stop -t 1 web").ok();
    lan.assert_no_endpoint();
    lan.docker("start web").ok();
    assert_eq!(lan.look("web"), seen);
    lan.docker("rm -f web").ok();
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
