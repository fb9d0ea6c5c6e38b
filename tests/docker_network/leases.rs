//! Addresses that servers and pools of ours give: Docker asks nobody.

use serde_json::Value;

use crate::lan::eventually;
use crate::plugin::Lan;

const DNSMASQ: &str = "dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 \
    --interface=br0 --bind-interfaces --dhcp-authoritative --log-dhcp \
    --dhcp-leasefile=/tmp/dnsmasq.leases --dhcp-option=3,10.0.0.1 \
    --dhcp-range=10.0.0.100,10.0.0.110,1h";

fn serve(lan: &Lan) {
    lan.run_in_background("dnsmasq", DNSMASQ);
    lan.run_in_background("daemon", "pipework daemon");
    assert!(eventually(|| lan
        .sh("test -S /run/pipework/daemon.sock")
        .status
        .success()));
}

fn leases(lan: &Lan) -> Vec<Value> {
    let all = lan.sh("pipework leases --json").ok();
    let all: Value = serde_json::from_str(&all).unwrap();
    all.as_array().cloned().unwrap_or_else(|| vec![all])
}

pub fn a_lease_is_shown_by_docker_kept_by_the_daemon_and_the_same_again(lan: &Lan) {
    serve(lan);
    lan.docker("network create -d pipework -o bridge=br0 -o dhcp=true --ipam-driver null home")
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
    assert_eq!(leases(lan).len(), 1);
    lan.sh(&format!("ping -c 1 -W 5 {address}")).ok();
    // Nobody on the host answers for it.
    assert!(!lan.sh("ip addr").ok().contains(&address));
    lan.docker("restart -t 1 web").ok();
    assert_eq!(lan.inspect("web", "home")["IPAddress"], address.as_str());
    assert!(eventually(has_lifetime), "{}", lan.plugin_log());
    lan.kill_plugin();
    lan.start_plugin();
    lan.docker("run --rm --network home bb /bin/look").ok();
    lan.docker("rm -f web").ok();
    lan.assert_no_endpoint();
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
