//! `pipework check` of containers on Docker's networks: what is in the container is
//! looked at, and what only Docker puts back is told with how.

use crate::plugin::{Lan, ON_BR0};

const WELL: &str = "1 interface is as it was made\n";
const IP: &str = "nsenter -n -t $(docker inspect -f '{{.State.Pid}}' web) ip";

/// What `pipework check` says of what differs.
#[track_caller]
fn differs(lan: &Lan) -> String {
    let said = lan.sh("pipework check");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    said.stdout
}

pub fn what_is_in_a_container_is_compared_and_docker_puts_back_what_it_must(lan: &Lan) {
    lan.docker(&format!("network create {ON_BR0} -o mtu=1400 lan"))
        .ok();
    lan.docker("run -d --name web --network lan --ip 10.0.0.5 bb /bin/look stay")
        .ok();
    assert_eq!(lan.sh("pipework check").ok(), WELL);
    let seen = lan.look("web");
    lan.sh(&format!(
        "{IP} link set eth0 address 02:00:00:00:00:77 mtu 1300"
    ))
    .ok();
    let text = differs(lan);
    assert!(
        text.contains("hardware address") && text.contains("its MTU is 1300, not 1400"),
        "{text}"
    );
    lan.sh("pipework check --repair").ok();
    assert_eq!(lan.sh("pipework check").ok(), WELL);
    assert_eq!(lan.look("web"), seen);
    lan.sh(&format!("{IP} addr flush dev eth0 scope global"))
        .ok();
    let text = differs(lan);
    assert!(
        text.contains("it has lost 10.0.0.5/24: docker network disconnect"),
        "{text}"
    );
    lan.docker("network disconnect lan web").ok();
    assert_eq!(lan.sh("pipework check").ok(), "nothing is attached\n");
    lan.docker("network connect --ip 10.0.0.5 lan web").ok();
    assert_eq!(lan.sh("pipework check").ok(), WELL);
    lan.docker("stop -t 1 web").ok();
    assert_eq!(lan.sh("pipework check").ok(), "nothing is attached\n");
    lan.docker("rm web").ok();
    lan.docker("network rm lan").ok();
}

/// What has no end on the host was not looked at in any way.
pub fn a_macvlan_that_is_gone_from_its_container_is_told(lan: &Lan) {
    lan.sh("ip link add up0 type veth peer name far0; ip link set up0 up; ip link set far0 master br0 up")
        .ok();
    lan.docker("network create -d pipework -o parent=up0 --subnet 10.0.0.0/24 home")
        .ok();
    lan.docker("run -d --name web --network home --ip 10.0.0.5 bb /bin/look stay")
        .ok();
    assert_eq!(lan.sh("pipework check").ok(), WELL);
    lan.sh(&format!("{IP} link del eth0")).ok();
    let text = differs(lan);
    assert!(
        text.contains("it is gone: docker network disconnect"),
        "{text}"
    );
    lan.docker("rm -f web").ok();
    lan.docker("network rm home").ok();
}
