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
        // Docker's alone is called so; ours comes before it.
        let defaults = seen.matches("route default ").count();
        assert_eq!(defaults == 1, network == "bridge", "{network}:\n{seen}");
        assert_nothing_left(docker);
    }
}

/// dockerd takes the next name of its own for granted, and that no other default
/// route is without a metric.
pub fn a_network_that_is_connected_later_comes_and_goes(docker: &Docker) {
    docker
        .docker("network create --subnet 10.99.0.0/24 more")
        .ok();
    for metric in [None, Some("50")] {
        let asked = metric.map_or_else(String::new, |metric| {
            format!("--annotation pipework.metric={metric}")
        });
        let run = format!(
            "run -d --name web --network none {ASK} --annotation pipework.ifname=lan0 {asked} \
             bb /bin/look stay"
        );
        docker.docker(&run).ok();
        let ours = "addr lan0 10.0.0.5/24 brd 10.0.0.255";
        let has = |seen: &str, line: &str| {
            let is_there = seen.lines().any(|seen| seen == line);
            assert!(is_there, "{line} is missing:\n{seen}");
        };
        // Docker's route comes before one with a metric.
        let comes_first = metric.is_none();
        docker.docker("network disconnect none web").ok();
        docker.docker("network connect bridge web").ok();
        docker.docker("network connect more web").ok();
        let all = docker.look("web");
        has(&all, ours);
        assert_eq!(all.contains("\nway 10.0.0.5\n"), comes_first, "{all}");
        assert!(
            all.contains(" 10.99.0.") && all.contains("route default via 172.17.0.1"),
            "{all}"
        );
        let near = docker
            .docker("exec web /bin/busybox ip route get 10.99.0.77")
            .ok();
        assert!(near.contains("dev eth1"), "{near}");
        docker.docker("network disconnect more web").ok();
        has(&docker.look("web"), ours);
        docker.docker("network disconnect bridge web").ok();
        let alone = docker.look("web");
        has(&alone, ours);
        has(&alone, "way 10.0.0.5");
        assert!(!alone.contains("eth"), "{alone}");
        docker.docker("rm -f web").ok();
    }
}

/// Where nobody gave ours another name than the one that Docker takes next.
pub fn a_network_that_wants_the_name_of_ours_is_refused_and_nothing_is_lost(docker: &Docker) {
    docker
        .docker("network create --subnet 10.99.0.0/24 more")
        .ok();
    let run = format!("run -d --name web {ASK} bb /bin/look stay");
    docker.docker(&run).ok();
    let mac = assert_complete(&docker.look("web"));
    let refused = docker.docker("network connect more web");
    assert!(refused.stderr.contains("file exists"), "{refused:?}");
    // Docker 28 leaves an interface of its own there, down and without a name.
    let still = docker.look("web");
    assert_eq!(assert_complete(&still), mac);
    assert!(still.contains("\naddr eth0 172.17."), "{still}");
    // Its own network still goes.
    docker.docker("network disconnect bridge web").ok();
    let alone = docker.look("web");
    assert_eq!(assert_complete(&alone), mac);
    assert!(!alone.contains("link eth0 "), "{alone}");
    docker.docker("rm -f web").ok();
    docker.docker("network rm more").ok();
}

/// Whoever wants Docker's default route has it, before and after.
pub fn dockers_default_route_stays_where_it_is_wanted(docker: &Docker) {
    let run = format!("run --rm {ASK} --annotation pipework.default=false bb /bin/look");
    let seen = docker.docker(&run).ok();
    assert!(seen.contains("addr eth1 10.0.0.5/24"), "{seen}");
    let routes = Vec::from_iter(seen.lines().filter(|line| line.starts_with("route ")));
    assert_eq!(routes.len(), 1, "{seen}");
    assert!(
        routes[0].starts_with("route default via 172.17.0.1 dev eth0"),
        "{seen}"
    );
    assert_nothing_left(docker);
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
    assert_nothing_left(docker);
    // One that was there first and asks for nothing has what the other asked for, for
    // as long as it lives itself.
    docker
        .docker("run -d --name base --network none bb /bin/look stay")
        .ok();
    assert!(!docker.look("base").contains("eth1"));
    assert_complete(&docker.docker(&beside).ok());
    assert_complete(&docker.look("base"));
    docker.docker("rm -f base").ok();
    docker.sh("pipework gc").ok();
}
