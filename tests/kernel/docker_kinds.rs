//! Options of Docker's networks, as the plugin is told of them: what an interface is
//! plugged into, in which VLAN, and with which default route.

use serde_json::{Value, json};

use crate::bridge_vlan::{filtering_bridge, needs_vlan_filtering, ours, vlans};
use crate::docker_plugin::{Plugin, asked, name_namespaces, names, prepare};
use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::{ip, ip_json, lab};
use crate::support::vm::vm;
use crate::vlan::{needs_8021q, vlans_of};

/// A network with these options and 10.66.0.0/24, whose gateway is the first address.
#[track_caller]
fn network(options: &Value) {
    network_of(&json!({}), options);
}

/// The same with these options of Docker's own.
#[track_caller]
fn network_of(dockers: &Value, options: &Value) {
    let v4 = json!([{
        "AddressSpace": "LocalDefault", "Gateway": "10.66.0.1/24", "Pool": "10.66.0.0/24"
    }]);
    let mut all = dockers.clone();
    all["com.docker.network.generic"] = options.clone();
    let asks = json!({ "NetworkID": "n1", "Options": all, "IPv4Data": v4, "IPv6Data": [] });
    asked("NetworkDriver.CreateNetwork", &asks);
}

/// An interface in it with these options of its own, and what dockerd is told of it.
#[track_caller]
fn joined(options: &Value) -> Value {
    let interface = json!({ "Address": "10.66.0.3/24", "AddressIPv6": "", "MacAddress": "" });
    let asks = json!({
        "NetworkID": "n1", "EndpointID": "e1", "Interface": interface, "Options": options
    });
    asked("NetworkDriver.CreateEndpoint", &asks);
    let asks = json!({
        "NetworkID": "n1", "EndpointID": "e1", "SandboxKey": "/run/netns/web", "Options": {}
    });
    asked("NetworkDriver.Join", &asks)
}

/// The name of the interface on the host.
fn link_of(join: &Value) -> String {
    let link = join["InterfaceName"]["SrcName"].as_str().unwrap();
    link.to_owned()
}

/// Does what dockerd does with an interface, into the container and back.
fn there_and_back(link: &str, while_it_is_there: impl FnOnce()) {
    ip(&format!("link set {link} netns web name eth0"));
    ip("-n web link set eth0 up");
    ip("-n web addr add 10.66.0.3/24 dev eth0");
    while_it_is_there();
    ip(&format!("-n web link set eth0 netns home name {link}"));
}

fn end() {
    let both = json!({ "NetworkID": "n1", "EndpointID": "e1" });
    for call in ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint"] {
        asked(call, &both);
    }
    assert_eq!(names("/var/lib/pipework/docker/endpoints"), [""; 0]);
    assert_eq!(names("/run/pipework/docker"), [""; 0]);
}

fn end_network() {
    end();
    asked("NetworkDriver.DeleteNetwork", &json!({ "NetworkID": "n1" }));
}

#[test]
fn without_a_default_route_dockerd_is_told_of_no_gateway_and_to_make_none() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        network(&json!({ "bridge": "br0", "default": "false" }));
        let join = joined(&json!({}));
        assert_eq!(join.get("Gateway"), None, "{join}");
        assert_eq!(join["DisableGatewayService"], true);
        end_network();
        // The same for one container of a network that has one.
        network(&json!({ "bridge": "br0" }));
        assert_eq!(joined(&json!({}))["Gateway"], "10.66.0.1");
        end();
        let join = joined(&json!({ "default": "false" }));
        assert_eq!(join.get("Gateway"), None, "{join}");
        assert_eq!(join["DisableGatewayService"], true);
        end_network();
        // Where there is none anyway.
        network_of(
            &json!({ "com.docker.network.internal": true }),
            &json!({ "bridge": "br0", "default": "false" }),
        );
        let join = joined(&json!({}));
        assert_eq!(join.get("Gateway"), None, "{join}");
        assert_eq!(join["DisableGatewayService"], true);
        end_network();
    });
}

#[test]
fn a_port_of_a_bridge_is_in_the_vlan_of_its_network_and_in_no_other() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let container = lab.container("web");
        name_namespaces(&container);
        let before = lab.snapshot();
        let _plugin = Plugin::start();
        network(&json!({ "bridge": "br0", "vlan": "100" }));
        let join = joined(&json!({}));
        let port = || ours("br0").pop().unwrap();
        there_and_back(&link_of(&join), || {
            assert_eq!(vlans(&port()), ["100 PVID Egress Untagged"]);
        });
        assert_eq!(vlans(&port()), ["100 PVID Egress Untagged"]);
        end();
        // One container elsewhere.
        joined(&json!({ "vlan": "200" }));
        assert_eq!(vlans(&port()), ["200 PVID Egress Untagged"]);
        end_network();
        before.assert_equal(&lab.snapshot(), "after the last of them");
    });
}

#[test]
fn a_macvlan_is_on_the_vlan_device_of_its_card_which_ends_with_it() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        name_namespaces(&container);
        let before = lab.snapshot();
        let _plugin = Plugin::start();
        network(&json!({ "parent": "up0", "vlan": "100" }));
        // What the network says, and one container elsewhere.
        for (options, device) in [
            (json!({}), "up0.100"),
            (json!({ "vlan": "200" }), "up0.200"),
        ] {
            let link = link_of(&joined(&options));
            assert_eq!(vlans_of("up0"), [device]);
            let child = &ip_json(&format!("-d link show {link}"))[0];
            assert_eq!(child["link"], device);
            assert_eq!(child["linkinfo"]["info_kind"], "macvlan");
            there_and_back(&link, || assert_eq!(vlans_of("up0"), [device]));
            end();
            assert_eq!(vlans_of("up0"), [""; 0]);
        }
        asked("NetworkDriver.DeleteNetwork", &json!({ "NetworkID": "n1" }));
        before.assert_equal(&lab.snapshot(), "after the last of them");
    });
}

#[test]
fn an_ipvlan_is_lent_to_dockerd_in_its_mode_and_ends_with_its_endpoint() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        name_namespaces(&container);
        let before = lab.snapshot();
        let _plugin = Plugin::start();
        // In the words of Docker's own driver, and in ours.
        for (key, mode) in [("ipvlan_mode", "l3"), ("mode", "l2")] {
            network(&json!({ "parent": "up0", "type": "ipvlan", key: mode }));
            let link = link_of(&joined(&json!({})));
            let is_as_asked = |link: &Value| {
                let info = &link[0]["linkinfo"];
                assert_eq!(info["info_kind"], "ipvlan");
                assert_eq!(info["info_data"]["mode"], mode);
            };
            is_as_asked(&ip_json(&format!("-d link show {link}")));
            there_and_back(&link, || is_as_asked(&ip_json("-n web -d link show eth0")));
            end_network();
            before.assert_equal(&lab.snapshot(), mode);
        }
    });
}

#[test]
fn a_card_of_one_container_is_lent_in_place_of_its_networks_uplink_and_comes_back() {
    vm!(|vm| {
        let _container = prepare(vm);
        let (nic, _machine) = vm.cable_of("virtio_net");
        let before = Snapshot::take();
        let _plugin = Plugin::start();
        network(&json!({ "bridge": "br0", "mtu": "1400" }));
        let link = link_of(&joined(&json!({ "device": nic.name })));
        assert_eq!(nic.present_name().as_deref(), Some(&*link));
        there_and_back(&link, || {
            assert!(ip("-n web link show eth0").contains("mtu 1400"));
        });
        end_network();
        before.assert_equal(&Snapshot::take(), "given back");
        assert_eq!(nic.present_name().as_ref(), Some(&nic.name));
    });
}
