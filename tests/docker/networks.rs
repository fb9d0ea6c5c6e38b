//! Our interface beside each network mode of Docker.

use crate::engine::{ASK, Docker};
use crate::lan::{assert_complete, assert_nothing_left, host_links};

pub fn the_first_instruction_sees_the_interface_beside_any_network(docker: &Docker) {
    for network in ["none", "bridge"] {
        let seen = docker.docker(&format!("run --rm --network {network} {ASK} bb /bin/look"));
        let seen = seen.ok();
        assert_complete(&seen);
        let has_own = seen.contains("link eth0 up running ");
        assert_eq!(has_own, network == "bridge", "{network}:\n{seen}");
        // One default route: that of the newest gateway.
        assert_eq!(
            seen.matches("route default ").count(),
            1,
            "{network}:\n{seen}"
        );
        assert_nothing_left(docker);
    }
}

/// dockerd takes the next name of its own and the default route without a metric
/// for granted; what asks for others stays out of its way.
pub fn a_network_that_is_connected_later_comes_and_goes(docker: &Docker) {
    docker
        .docker("network create --subnet 10.99.0.0/24 more")
        .ok();
    let run = format!(
        "run -d --name web --network none {ASK} --annotation pipework.ifname=lan0 \
         --annotation pipework.metric=50 bb /bin/look stay"
    );
    docker.docker(&run).ok();
    docker.docker("network disconnect none web").ok();
    docker.docker("network connect bridge web").ok();
    docker.docker("network connect more web").ok();
    let all = docker.look("web");
    let has = |seen: &str, line: &str| seen.lines().any(|seen| seen == line);
    let ours = [
        "addr lan0 10.0.0.5/24 brd 10.0.0.255",
        "route default via 10.0.0.1 dev lan0 metric 50",
    ];
    for line in ours {
        assert!(has(&all, line), "{line} is missing:\n{all}");
    }
    assert!(
        all.contains(" 10.99.0.") && all.contains("route default via 172.17.0.1"),
        "{all}"
    );
    docker.docker("network disconnect more web").ok();
    docker.docker("network disconnect bridge web").ok();
    let alone = docker.look("web");
    for line in ours {
        assert!(has(&alone, line), "{line} is missing:\n{alone}");
    }
    assert!(!alone.contains("eth"), "{alone}");
    docker.docker("rm -f web").ok();
}

pub fn a_container_in_anothers_namespace_shares_its_interface(docker: &Docker) {
    let run = format!("run -d --name base --network none {ASK} bb /bin/look stay");
    docker.docker(&run).ok();
    let mac = assert_complete(&docker.look("base"));
    let beside = format!("run --rm --network container:base {ASK} bb /bin/look");
    let seen = docker.docker(&beside).ok();
    assert_eq!(assert_complete(&seen), mac);
    assert_eq!(host_links(docker).len(), 1);
    assert_eq!(assert_complete(&docker.look("base")), mac);
    docker.docker("rm -f base").ok();
}
