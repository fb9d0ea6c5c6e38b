//! What dockerd says to its plugins, as it was recorded, and what the real plugin
//! answers: the exchanges that the lives of docker_plugin.rs do not have.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::docker_plugin::{Plugin, asked, names, prepare, refused};
use crate::support::lab::{ip, lab};

/// An IPAM of Docker's own.
fn network(id: &str, more: &Value, v4: &Value, v6: &Value) {
    let mut options = json!({
        "com.docker.network.enable_ipv6": v6 != &json!([]),
        "com.docker.network.generic": { "bridge": "br0" }
    });
    for (key, value) in more.as_object().unwrap() {
        options[key] = value.clone();
    }
    let asks = json!({ "NetworkID": id, "Options": options, "IPv4Data": v4, "IPv6Data": v6 });
    assert_eq!(asked("NetworkDriver.CreateNetwork", &asks), json!({}));
}

fn endpoint(network: &str, id: &str, interface: &Value, options: &Value) -> Value {
    let asks = json!({
        "NetworkID": network, "EndpointID": id, "Interface": interface, "Options": options
    });
    asked("NetworkDriver.CreateEndpoint", &asks)["Interface"].clone()
}

fn joined(network: &str, id: &str) -> Value {
    let asks = json!({
        "NetworkID": network, "EndpointID": id,
        "SandboxKey": "/var/run/docker/netns/bfb50f70b4ac", "Options": {}
    });
    asked("NetworkDriver.Join", &asks)
}

fn end(network: &str, id: &str) {
    let both = json!({ "NetworkID": network, "EndpointID": id });
    for call in ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"] {
        assert_eq!(asked(&format!("NetworkDriver.{call}"), &both), json!({}));
    }
}

fn v4() -> Value {
    json!([{ "AddressSpace": "LocalDefault", "Gateway": "10.66.0.1/24", "Pool": "10.66.0.0/24" }])
}

#[test]
fn what_dockerd_says_of_networks_and_interfaces_is_answered_as_it_takes_it() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        asked("Plugin.Activate", &Value::Null);
        // Both families, as `--ipv6 --subnet fd00:68::/64`.
        let v6 = json!([{
            "AddressSpace": "LocalDefault", "Gateway": "fd00:68::1/64", "Pool": "fd00:68::/64"
        }]);
        network("both", &json!({}), &v4(), &v6);
        let known = json!({
            "Address": "10.66.0.50/24", "AddressIPv6": "fd00:68::2/64",
            "MacAddress": "02:42:aa:bb:cc:dd"
        });
        // As `-p 8080:80 --expose 90` has it; no business of ours.
        let ports = json!({
            "com.docker.network.endpoint.exposedports": [
                { "Proto": 6, "Port": 90 }, { "Proto": 6, "Port": 80 }
            ],
            "com.docker.network.endpoint.macaddress": "AkKqu8zd",
            "com.docker.network.portmap": [{
                "Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080,
                "HostPortEnd": 8080
            }]
        });
        // What dockerd has said it must not be told: "cannot be modified".
        assert_eq!(endpoint("both", "e1", &known, &ports), json!({}));
        let join = joined("both", "e1");
        assert_eq!(join["Gateway"], "10.66.0.1");
        assert_eq!(join["GatewayIPv6"], "fd00:68::1");
        assert_eq!(join["InterfaceName"]["DstPrefix"], "eth");
        assert_eq!(join.get("DisableGatewayService"), None);
        let link = join["InterfaceName"]["SrcName"].as_str().unwrap();
        let shown = ip(&format!("link show {link}"));
        assert!(shown.contains("02:42:aa:bb:cc:dd"), "{shown}");
        // The same again, as dockerd repeats it.
        assert_eq!(endpoint("both", "e1", &known, &ports), json!({}));
        assert_eq!(joined("both", "e1"), join);
        end("both", "e1");
        end("both", "e1");
    });
}

/// After a failed Join dockerd calls DeleteEndpoint, and no Leave; a restart is
/// another endpoint.
#[test]
fn a_restart_is_answered_the_same_and_a_join_that_fails_is_ended_without_leave() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        network("n1", &json!({}), &v4(), &json!([]));
        let known = json!({ "Address": "10.66.0.3/24", "AddressIPv6": "", "MacAddress": "" });
        let first = endpoint("n1", "e1", &known, &Value::Null);
        let join = joined("n1", "e1");
        end("n1", "e1");
        // Docker has no container's name for us: it is known by its address.
        assert_eq!(endpoint("n1", "e2", &known, &Value::Null), first);
        assert_eq!(joined("n1", "e2"), join);
        end("n1", "e2");
        endpoint("n1", "e3", &known, &Value::Null);
        let link = join["InterfaceName"]["SrcName"].as_str().unwrap();
        ip(&format!("link del {link}"));
        let both = json!({
            "NetworkID": "n1", "EndpointID": "e3", "SandboxKey": "/var/run/docker/netns/1"
        });
        assert!(refused("NetworkDriver.Join", &both).contains("is not on the host any more"));
        assert_eq!(asked("NetworkDriver.DeleteEndpoint", &both), json!({}));
        assert_eq!(names("/var/lib/pipework/docker/endpoints"), [""; 0]);
        assert_eq!(names("/run/pipework/docker"), [""; 0]);
        // An option of one container that nobody knows, as `--driver-opt a=b`.
        let asks = json!({
            "NetworkID": "n1", "EndpointID": "e4", "Interface": known, "Options": { "a": "b" }
        });
        assert!(refused("NetworkDriver.CreateEndpoint", &asks).contains("a is no option"));
        assert_eq!(names("/var/lib/pipework/docker/endpoints"), [""; 0]);
    });
}

#[test]
fn without_a_gateway_dockerd_is_kept_from_one_of_its_own() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        let internal = json!({ "com.docker.network.internal": true });
        network("inner", &internal, &v4(), &json!([]));
        let known = json!({ "Address": "10.66.0.3/24", "AddressIPv6": "", "MacAddress": "" });
        let told = endpoint("inner", "e1", &known, &Value::Null);
        // dockerd has no MAC for it, and must show the one that it has.
        assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
        assert!(told["MacAddress"].as_str().unwrap().starts_with("02:"));
        let join = joined("inner", "e1");
        assert_eq!(join["DisableGatewayService"], true);
        assert_eq!(join.get("Gateway"), None);
        end("inner", "e1");
        // As `--ipam-driver null`, whose pool is everything: no address, and no gateway.
        let null = json!([{ "AddressSpace": "null", "Gateway": "", "Pool": "0.0.0.0/0" }]);
        network("none", &json!({}), &null, &json!([]));
        let nothing = json!({ "Address": "", "AddressIPv6": "", "MacAddress": "" });
        // Of one interface alone, as `driver-opt=`.
        let option = json!({ "com.docker.network.endpoint.ifname": "lan0", "mtu": "1400" });
        let told = endpoint("none", "e2", &nothing, &option);
        assert_eq!(told.get("Address"), None, "{told}");
        let join = joined("none", "e2");
        assert_eq!(join["DisableGatewayService"], true);
        assert_eq!(join["InterfaceName"]["DstName"], "lan0");
        let link = join["InterfaceName"]["SrcName"].as_str().unwrap();
        assert!(ip(&format!("link show {link}")).contains("mtu 1400"));
        end("none", "e2");
        // One that nobody told of.
        let unknown = json!({
            "NetworkID": "none", "EndpointID": "e9", "SandboxKey": "/var/run/docker/netns/1"
        });
        assert!(refused("NetworkDriver.Join", &unknown).contains("is not known here"));
        let gone = json!({ "NetworkID": "n9", "EndpointID": "e9", "Interface": nothing });
        assert!(refused("NetworkDriver.CreateEndpoint", &gone).contains("docker network rm"));
    });
}

#[test]
fn what_dockerd_says_of_addresses_is_answered_as_it_takes_it() {
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        let pool = |pool: &str, sub: &str, v6: bool| {
            json!({
                "AddressSpace": "pipework", "Pool": pool, "SubPool": sub, "Options": {}, "V6": v6
            })
        };
        // Neither without a subnet, nor with options that we have not.
        let any = refused("IpamDriver.RequestPool", &pool("", "", false));
        assert!(any.contains("needs a --subnet"), "{any}");
        let mut option = pool("10.66.0.0/24", "", false);
        option["Options"] = json!({ "foo": "bar" });
        assert!(refused("IpamDriver.RequestPool", &option).contains("--ipam-opt foo"));
        let outside = pool("10.66.0.0/24", "10.67.0.0/28", false);
        assert!(refused("IpamDriver.RequestPool", &outside).contains("10.67.0.0/28"));
        let given = asked(
            "IpamDriver.RequestPool",
            &pool("10.66.0.0/24", "10.66.0.64/28", false),
        );
        assert_eq!(given["Pool"], "10.66.0.0/24");
        let six = asked("IpamDriver.RequestPool", &pool("fd00:68::/64", "", true));
        assert_eq!(six["Pool"], "fd00:68::/64");
        let address = |pool: &Value, address: &str, options: Value| json!({ "PoolID": pool["PoolID"], "Address": address, "Options": options });
        let gateway = json!({ "RequestAddressType": "com.docker.network.gateway" });
        let first = asked(
            "IpamDriver.RequestAddress",
            &address(&given, "", gateway.clone()),
        );
        assert_eq!(first, json!({ "Address": "10.66.0.1/24" }));
        let first = asked("IpamDriver.RequestAddress", &address(&six, "", gateway));
        assert_eq!(first, json!({ "Address": "fd00:68::1/64" }));
        // An explicit one may be outside of --ip-range.
        let mac = json!({ "com.docker.network.endpoint.macaddress": "02:00:00:00:00:09" });
        let one = address(&given, "10.66.0.77", mac.clone());
        assert_eq!(
            asked("IpamDriver.RequestAddress", &one),
            json!({ "Address": "10.66.0.77/24" })
        );
        assert!(refused("IpamDriver.RequestAddress", &one).contains("10.66.0.77 is held"));
        let whole = address(&given, "10.66.0.255", Value::Null);
        assert!(refused("IpamDriver.RequestAddress", &whole).contains("no address of a host"));
        let chosen = asked("IpamDriver.RequestAddress", &address(&given, "", mac));
        let chosen = chosen["Address"].as_str().unwrap();
        assert!(
            chosen.starts_with("10.66.0.6") || chosen.starts_with("10.66.0.7"),
            "{chosen}"
        );
        for text in ["10.66.0.77", "10.66.0.77", "10.66.0.200"] {
            let back = json!({ "PoolID": given["PoolID"], "Address": text });
            assert_eq!(asked("IpamDriver.ReleaseAddress", &back), json!({}));
        }
        for pool in [&given, &six, &given] {
            let back = json!({ "PoolID": pool["PoolID"] });
            assert_eq!(asked("IpamDriver.ReleasePool", &back), json!({}));
        }
        assert_eq!(names("/var/lib/pipework/docker/pools"), [""; 0]);
        let unknown = json!({ "PoolID": given["PoolID"], "Address": "" });
        assert!(refused("IpamDriver.RequestAddress", &unknown).contains("is not known here"));
    });
}

#[test]
fn the_socket_is_roots_alone_and_a_second_plugin_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    lab!(|lab| {
        let _container = prepare(lab);
        let _plugin = Plugin::start();
        let socket = fs::metadata(crate::docker_plugin::SOCKET).unwrap();
        assert_eq!(socket.permissions().mode() & 0o777, 0o600);
        let second = std::process::Command::new(crate::support::lab::PIPEWORK)
            .arg("docker-plugin")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(
            !second.status.success() && said.contains("another plugin"),
            "{said}"
        );
        // The first goes on.
        asked("Plugin.Activate", &Value::Null);
        let none: BTreeMap<String, Value> = BTreeMap::new();
        assert_eq!(asked("NetworkDriver.DiscoverNew", &json!(none)), json!({}));
    });
}
