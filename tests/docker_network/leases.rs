//! Addresses that servers and pools of ours give: Docker asks nobody.

use crate::lan::eventually;
use crate::plugin::Lan;
use crate::readme::block;
use crate::server::{DNSMASQ, SERVER, leases, serve, serve_a_card, serve_by};

pub fn a_lease_is_shown_by_docker_kept_by_the_daemon_and_the_same_again(lan: &Lan) {
    serve(lan);
    lan.docker("network create -d pipework -o bridge=br0 -o dhcp=true -o dhcp.release=true --ipam-driver null home")
        .ok();
    lan.docker(
        "run -d --name web --network name=home,driver-opt=dhcp.hostname=web bb /bin/look stay",
    )
    .ok();
    let known = lan.inspect("web", "home");
    let address = known["IPAddress"].as_str().unwrap().to_owned();
    assert!(address.starts_with("10.0.0.1"), "{known}");
    assert_eq!(known["Gateway"], "10.0.0.1");
    let seen = lan.look("web");
    assert!(seen.contains(&format!("addr eth0 {address}/24")), "{seen}");
    assert!(
        seen.contains("route default via 10.0.0.1 dev eth0"),
        "{seen}"
    );
    assert!(lan.said("dnsmasq").contains("client provides name: web"));
    // The address ends with its lease, even with every process of ours dead.
    let has_lifetime = || {
        let shown = lan.docker("exec web /bin/busybox ip addr show eth0").ok();
        !shown.contains("forever") && shown.contains(&address)
    };
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    let is_well = || lan.sh("pipework check").stdout == "1 interface is as it was made\n";
    assert!(eventually(is_well), "{:?}", lan.sh("pipework check"));
    assert_eq!(leases(lan).len(), 1);
    lan.sh(&format!("ping -c 1 -W 5 {address}")).ok();
    // Nobody on the host answers for it.
    assert!(!lan.sh("ip addr").ok().contains(&address));
    lan.docker("restart -t 1 web").ok();
    assert_eq!(lan.inspect("web", "home")["IPAddress"], address.as_str());
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    lan.kill_plugin();
    // As if it had been killed before it told who keeps the lease: whoever looks
    // next does.
    let wishes =
        |is_default| format!("grep -l '\"default_route\":{is_default}' /run/pipework/leases/*");
    lan.sh("sed -i 's/\"default_route\":false/\"default_route\":true/' /run/pipework/leases/*")
        .ok();
    lan.sh(&wishes(true)).ok();
    lan.start_plugin();
    assert!(
        eventually(|| lan.sh(&wishes(false)).status.success()),
        "{}",
        lan.plugin_log()
    );
    lan.docker("run --rm --network home bb /bin/look").ok();
    // The server hears of the end, though dockerd has taken the interface away.
    let releases = || lan.said("dnsmasq").matches("DHCPRELEASE").count();
    let before = releases();
    lan.docker("rm -f web").ok();
    assert!(
        eventually(|| releases() > before),
        "{}",
        lan.said("dnsmasq")
    );
    lan.assert_no_endpoint();
    assert!(eventually(|| leases(lan).is_empty()), "{:?}", leases(lan));
    lan.docker("network rm home").ok();
}

/// As the README has it.
pub fn a_macvlan_of_a_card_has_the_lease_of_its_mac(lan: &Lan) {
    serve_a_card(lan);
    let address = lan
        .sh(&block("Docker and the LAN's DHCP server", "sh"))
        .ok()
        .lines()
        .last()
        .unwrap()
        .to_owned();
    assert!(address.starts_with("10.0.0.1"), "{address}");
    let seen = lan.look("web");
    for line in [
        "link eth0 up running 02:00:00:00:01:50 mtu 1500".to_owned(),
        format!("addr eth0 {address}/24"),
        "route default via 10.0.0.1 dev eth0".to_owned(),
    ] {
        assert!(
            seen.lines().any(|seen| seen.starts_with(&line)),
            "{line}:\n{seen}"
        );
    }
    let inside = "nsenter -n -t $(docker inspect -f '{{.State.Pid}}' web)";
    let kind = lan.sh(&format!("{inside} ip -d link show eth0")).ok();
    assert!(kind.contains("macvlan mode"), "{kind}");
    lan.sh(&format!("ip netns exec server ping -c 1 -W 5 {address}"))
        .ok();
    assert_eq!(leases(lan).len(), 1);
    lan.docker("restart -t 1 web").ok();
    assert_eq!(lan.inspect("web", "home")["IPAddress"], address.as_str());
    lan.docker("rm -f web").ok();
    lan.assert_no_endpoint();
    assert!(eventually(|| leases(lan).is_empty()), "{:?}", leases(lan));
    lan.docker("network rm home").ok();
}

pub fn a_lease_of_both_families_is_shown_kept_the_same_again_and_given_back(lan: &Lan) {
    lan.sh(SERVER).ok();
    lan.sh("ip -n server addr add fd00:66::2/64 dev lan0 nodad")
        .ok();
    let six = "--enable-ra --dhcp-range=fd00:66::100,fd00:66::1ff,64,1h";
    serve_by(lan, &format!("{DNSMASQ} {six}"));
    lan.docker(
        "network create -d pipework -o bridge=br0 -o ip=dhcp,dhcp6 -o dhcp.release=true \
         --ipam-driver null home",
    )
    .ok();
    lan.docker("run -d --name web --network home bb /bin/look stay")
        .ok();
    let address = || {
        let known = lan.inspect("web", "home");
        let address = known["GlobalIPv6Address"].as_str().unwrap().to_owned();
        assert!(address.starts_with("fd00:66::1"), "{known}");
        assert!(known["IPAddress"].as_str().unwrap().starts_with("10.0.0.1"));
        address
    };
    let six = address();
    // dockerd gives it for ever, the lease does not.
    let has_lifetime = || {
        let shown = lan
            .docker("exec web /bin/busybox ip -6 addr show eth0 scope global")
            .ok();
        shown.contains(&format!("{six}/128")) && !shown.contains("forever")
    };
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    let routes = || lan.docker("exec web /bin/busybox ip -6 route").ok();
    assert!(routes().contains("default via fe80::"), "{}", routes());
    lan.sh(&format!("ip netns exec server ping -6 -c 1 -W 5 {six}"))
        .ok();
    assert!(!lan.sh("ip addr").ok().contains(&six));
    lan.docker("restart -t 1 web").ok();
    assert_eq!(address(), six);
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    lan.docker("rm -f web").ok();
    // By both protocols.
    let releases = |is_four: bool| {
        let said = lan.said("dnsmasq");
        let mut lines = said.lines().filter(|line| line.contains("DHCPRELEASE"));
        lines.any(|line| line.contains("10.0.0.1") == is_four)
    };
    assert!(
        eventually(|| releases(true) && releases(false)),
        "{}",
        lan.said("dnsmasq")
    );
    assert!(eventually(|| leases(lan).is_empty()), "{:?}", leases(lan));
    lan.docker("network rm home").ok();
}

pub fn without_a_server_or_a_keeper_docker_says_so(lan: &Lan) {
    lan.docker(
        "network create -d pipework -o bridge=br0 -o dhcp=true -o dhcp.timeout=1s \
         --ipam-driver null home",
    )
    .ok();
    let refused = lan.docker("run --rm --network home bb /bin/look");
    assert!(!refused.status.success());
    assert!(
        refused.stderr.contains("pipework.socket"),
        "{}",
        refused.stderr
    );
    lan.run_in_background("daemon", "pipework daemon");
    assert!(eventually(|| lan
        .sh("test -S /run/pipework/daemon.sock")
        .status
        .success()));
    let refused = lan.docker("run --rm --network home bb /bin/look");
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("DHCP"), "{}", refused.stderr);
    lan.assert_no_endpoint();
    lan.docker("network rm home").ok();
}

pub fn a_named_network_gives_an_address_of_its_pool(lan: &Lan) {
    lan.write(
        "/etc/pipework/networks.d/lan.toml",
        "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.0/24\"\nrange = \"10.0.0.200-10.0.0.209\"\n\
         gateway = \"10.0.0.1\"\n",
    );
    lan.docker("network create -d pipework -o net=lan -o ip=pool --ipam-driver null named")
        .ok();
    lan.docker("run -d --name web --network named bb /bin/look stay")
        .ok();
    let known = lan.inspect("web", "named");
    assert!(
        known["IPAddress"]
            .as_str()
            .unwrap()
            .starts_with("10.0.0.20"),
        "{known}"
    );
    let seen = lan.look("web");
    assert!(
        seen.contains("route default via 10.0.0.1 dev eth0"),
        "{seen}"
    );
    lan.docker("rm -f web").ok();
    lan.docker("network rm named").ok();
}
