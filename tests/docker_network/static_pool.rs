//! Subnets whose addresses Docker gives.

use crate::lan::eventually;
use crate::plugin::{Lan, ON_BR0};
use crate::readme::block;

pub fn a_container_is_on_the_bridge_with_an_address_of_the_subnet(lan: &Lan) {
    lan.docker(&format!("network create {ON_BR0} -o mtu=1400 lan"))
        .ok();
    let run = "run -d --name web --network lan bb /bin/look stay";
    lan.docker(run).ok();
    let seen = lan.look("web");
    assert!(
        seen.contains("route default via 10.0.0.1 dev eth0"),
        "{seen}"
    );
    assert!(seen.contains("mtu 1400"), "{seen}");
    // Without DisableGatewayService or a gateway there would be a second one.
    assert!(!seen.contains("eth1"), "{seen}");
    let known = lan.inspect("web", "lan");
    let (address, mac) = (&known["IPAddress"], &known["MacAddress"]);
    let (address, mac) = (address.as_str().unwrap(), mac.as_str().unwrap());
    assert_eq!(known["Gateway"], "10.0.0.1");
    assert!(seen.contains(&format!("addr eth0 {address}/24")), "{seen}");
    assert!(seen.contains(mac), "{seen}");
    lan.sh(&format!("ping -c 1 -W 5 {address}")).ok();
    let ports = lan.sh("ip -d link show master br0").ok();
    assert!(ports.contains("alias pipework:docker-"), "{ports}");
    // The same again, with another endpoint.
    lan.docker("restart -t 1 web").ok();
    assert_eq!(lan.inspect("web", "lan")["MacAddress"], mac);
    assert_eq!(lan.kept("endpoints").len(), 1);
    lan.docker("stop -t 1 web").ok();
    lan.assert_no_endpoint();
    lan.docker("start web").ok();
    assert_eq!(lan.inspect("web", "lan")["MacAddress"], mac);
    let pid = lan.docker("inspect -f {{.State.Pid}} web").ok();
    lan.sh(&format!("kill -9 {pid}")).ok();
    assert!(eventually(|| lan.kept("endpoints").is_empty()));
    lan.docker("rm -f web").ok();
    lan.docker("network rm lan").ok();
}

pub fn the_network_of_the_readme_is_made_and_used(lan: &Lan) {
    let lines = block("Docker and Compose, by a network", "sh");
    let lines = lines.replace("docker run ", "docker run -d --name web ");
    lan.sh(&lines).ok();
    let seen = lan.look("web");
    for line in [
        "addr eth0 10.0.0.20/24",
        "route default via 10.0.0.1 dev eth0",
    ] {
        assert!(
            seen.lines().any(|seen| seen.starts_with(line)),
            "{line}:\n{seen}"
        );
    }
    lan.sh("ping -c 1 -W 5 10.0.0.20").ok();
    lan.docker("rm -f web").ok();
    lan.docker("network rm lan").ok();
}

pub fn an_address_a_mac_routes_and_a_name_are_as_asked(lan: &Lan) {
    lan.docker(&format!(
        "network create {ON_BR0} -o prefix=lan -o 'route=10.77.0.0/16 via 10.0.0.9; 10.78.0.0/16' lan"
    ))
    .ok();
    let run = "run --rm --network lan --ip 10.0.0.50 --mac-address 02:42:aa:bb:cc:dd bb";
    let seen = lan.docker(&format!("{run} /bin/look")).ok();
    for line in [
        "link lan0 up running 02:42:aa:bb:cc:dd mtu 1500",
        "addr lan0 10.0.0.50/24",
        "route default via 10.0.0.1 dev lan0 metric 0",
    ] {
        assert!(
            seen.lines().any(|seen| seen.starts_with(line)),
            "{line}:\n{seen}"
        );
    }
    let routes = lan.docker(&format!("{run} /bin/busybox ip route")).ok();
    assert!(
        routes.contains("10.77.0.0/16 via 10.0.0.9 dev lan0"),
        "{routes}"
    );
    assert!(routes.contains("10.78.0.0/16 dev lan0"), "{routes}");
    lan.docker("network rm lan").ok();
}

pub fn ipv6_internal_and_several_networks_come_and_go(lan: &Lan) {
    lan.sh(
        "ip addr add fd00:66::1/64 dev br0 nodad; ip link add br1 type bridge; ip link set br1 up",
    )
    .ok();
    lan.docker(&format!(
        "network create {ON_BR0} --ipv6 --subnet fd00:66::/64 --gateway fd00:66::1 lan"
    ))
    .ok();
    lan.docker("network create -d pipework -o bridge=br1 --internal --subnet 10.1.0.0/24 inside")
        .ok();
    lan.docker("run -d --name web --network lan --ip6 fd00:66::5 bb /bin/look stay")
        .ok();
    let addresses = lan
        .docker("exec web /bin/busybox ip -6 addr show eth0")
        .ok();
    assert!(addresses.contains("fd00:66::5/64"), "{addresses}");
    let routes = lan.docker("exec web /bin/busybox ip -6 route").ok();
    assert!(
        routes.contains("default via fd00:66::1 dev eth0"),
        "{routes}"
    );
    lan.sh("ping -6 -c 1 -W 5 fd00:66::5").ok();
    // Two at once, the second while it runs, and back.
    lan.docker("network connect --ip 10.1.0.9 inside web").ok();
    let both = lan.look("web");
    assert!(both.contains("addr eth1 10.1.0.9/24"), "{both}");
    assert_eq!(both.matches("route default").count(), 1, "{both}");
    lan.docker("network disconnect inside web").ok();
    let one = lan.look("web");
    assert!(
        !one.contains("eth1") && one.contains("route default via 10.0.0.1 dev eth0"),
        "{one}"
    );
    assert_eq!(lan.kept("endpoints").len(), 1);
    lan.docker("rm -f web").ok();
    // Alone, an internal network gives no way out.
    let alone = lan.docker("run --rm --network inside bb /bin/look").ok();
    assert!(alone.contains("addr eth0 10.1.0."), "{alone}");
    assert!(
        !alone.contains("route default") && !alone.contains("eth1"),
        "{alone}"
    );
    lan.docker("network rm lan inside").ok();
}

pub fn a_macvlan_of_a_card_and_a_port_with_options_work_alike(lan: &Lan) {
    lan.sh("ip link add up0 type veth peer name far0; ip link set up0 up; ip link set far0 master br0 up; \
            ip addr add 192.0.2.1/24 dev up0")
        .ok();
    let card = "network create -d pipework -o mode=bridge --subnet 10.0.0.0/24 --gateway 10.0.0.1";
    // Without an end on the host nobody would keep to it.
    let refused = lan.docker(&format!("{card} -o parent=up0 -o rate.out=10mbit card"));
    assert!(
        refused.stderr.contains("use a bridge"),
        "{}",
        refused.stderr
    );
    lan.docker(&format!("{card} -o link=up0 -o rate.in=10mbit card"))
        .ok();
    // By its name alone that cannot be said; nor has every kernel such limits.
    let refused = lan.docker("run --rm --network card bb /bin/look");
    assert!(!refused.status.success());
    lan.assert_no_endpoint();
    lan.docker("network rm card").ok();
    lan.docker(&format!("{card} -o parent=up0 -o host-access=true card"))
        .ok();
    lan.docker("run -d --name web --network card --ip 10.0.0.60 bb /bin/look stay")
        .ok();
    let kind = lan.docker("exec web /bin/look").ok();
    assert!(kind.contains("addr eth0 10.0.0.60/24"), "{kind}");
    // The host's address on the card is none of the subnet.
    let routes = lan.docker("exec web /bin/busybox ip route").ok();
    assert!(routes.contains("192.0.2.1 dev eth0"), "{routes}");
    lan.sh("ping -c 1 -W 5 10.0.0.60").ok();
    lan.docker("rm -f web").ok();
    lan.assert_no_endpoint();
    lan.docker("network rm card").ok();
    lan.docker(&format!(
        "network create {ON_BR0} -o isolate=true -o spoofcheck=true -o rate.in=10mbit guarded"
    ))
    .ok();
    lan.docker("run -d --name web --network guarded bb /bin/look stay")
        .ok();
    let port = lan.sh("ip -d link show master br0").ok();
    assert!(port.contains("isolated on"), "{port}");
    lan.docker("rm -f web").ok();
    lan.docker("network rm guarded").ok();
}

pub fn what_is_wrong_is_told_by_docker_and_leaves_nothing(lan: &Lan) {
    for (options, call, said) in REFUSED {
        let refused = lan.docker(&format!("network create -d pipework {options} wrong"));
        assert!(!refused.status.success(), "{options}");
        let first = refused.stderr.lines().next().unwrap_or_default();
        let wanted = format!("Error response from daemon: {call}: pipework: {said}");
        assert_eq!(first, wanted, "{options}");
    }
    // What is not there now may be there at the first container.
    lan.docker("network create -d pipework -o parent=nosuch0 --subnet 10.0.0.0/24 later")
        .ok();
    for (network, said) in [
        (
            "later",
            "pipework: there is no device nosuch0 on this host\n  from: parent=nosuch0\n",
        ),
        (
            "name=later,driver-opt=mtu=big",
            "pipework: mtu=big: big is not a number of bytes",
        ),
    ] {
        let refused = lan.docker(&format!("run --rm --network {network} bb /bin/look"));
        assert!(!refused.status.success(), "{network}");
        let told = refused.stderr;
        assert!(told.contains(&format!(": {said}")), "{network}: {told}");
    }
    lan.assert_no_endpoint();
    lan.docker("network rm later").ok();
}

const CREATE: &str = "NetworkDriver.CreateNetwork";
const POOL: &str = "IpamDriver.RequestPool";

/// Options of a network that is not made, the call that fails, and what is said: of
/// options as they were written.
const REFUSED: [(&str, &str, &str); 14] = [
    (
        "-o brigde=br0 --subnet 10.0.0.0/24",
        CREATE,
        "brigde is no option; did you mean bridge?",
    ),
    (
        "--subnet 10.0.0.0/24",
        CREATE,
        "nothing says what the network is plugged into: \
         one of bridge, parent, link, ovs, ipoib, dummy, net is needed",
    ),
    (
        "-o bridge=br0 -o parent=eth0 --subnet 10.0.0.0/24",
        CREATE,
        "bridge=br0 and parent=eth0 contradict each other: an interface has one uplink",
    ),
    (
        "-o bridge=br0 -o vlan=5000 --subnet 10.0.0.0/24",
        CREATE,
        "vlan=5000: 5000 is not a VLAN from 1 to 4094 (0 and 4095 are reserved)",
    ),
    (
        "-o bridge=br0 -o mtu=big --subnet 10.0.0.0/24",
        CREATE,
        "mtu=big: big is not a number of bytes",
    ),
    (
        "-o bridge=br0 -o com.docker.network.driver.mtu=big --subnet 10.0.0.0/24",
        CREATE,
        "com.docker.network.driver.mtu=big: big is not a number of bytes",
    ),
    (
        "-o bridge= --subnet 10.0.0.0/24",
        CREATE,
        "bridge has an empty value",
    ),
    (
        "-o pipework.bridge=br/0 --subnet 10.0.0.0/24",
        CREATE,
        "bridge=br/0: interface name br/0 contains '/', which is not allowed there",
    ),
    (
        "-o bridge=br0 -o dhcp=true --subnet 10.0.0.0/24",
        CREATE,
        "dhcp=true learns addresses, and Docker gives those of 10.0.0.0/24 besides",
    ),
    (
        "-o bridge=br0 -o dhcp=maybe --ipam-driver null",
        CREATE,
        "dhcp=maybe: true or false; ip=dhcp,dhcp6 for both families",
    ),
    (
        "-o bridge=br0 -o ip=10.0.0.5/24 --subnet 10.0.0.0/24",
        CREATE,
        "ip=10.0.0.5/24 is not for Docker's networks: addresses are those of --subnet, --ip \
         and --ip6; ip=dhcp, dhcp6 and pool are for --ipam-driver null",
    ),
    (
        "-o bridge=br0 -o net=nosuch --subnet 10.0.0.0/24",
        CREATE,
        "no network is called nosuch: there is no /etc/pipework/networks.d/nosuch.toml",
    ),
    (
        "-o bridge=br0 --ipam-driver pipework",
        POOL,
        "a network whose addresses pipework gives needs a --subnet",
    ),
    (
        "-o bridge=br0 --ipam-driver pipework --ipam-opt size=7 --subnet 10.0.0.0/24",
        POOL,
        "--ipam-opt size is no option",
    ),
];
