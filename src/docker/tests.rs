//! Every exchange of the protocol with its exact JSON.

use serde_json::{Value, json};

use super::calls::{Plugin, Refusal, Reply, answer};
use super::message::{
    CreateEndpoint, CreateNetwork, GivenAddress, GivenPool, Interface, InterfaceName, Join, Joined,
    OfAddress, OfEndpoint, OfNetwork, ReleasePool, RequestPool, StaticRoute,
};

/// Answers what it was told to, after a look at what it is asked.
struct Told;

const ID: &str = "334cd5";
const ENDPOINT: &str = "2abb11";

impl Plugin for Told {
    fn create_network(&self, asked: &CreateNetwork) -> Result<(), Refusal> {
        assert_eq!(asked.network, ID);
        match asked.v4.first() {
            Some(data) if data.pool == "10.66.0.0/24" => {
                assert_eq!(data.address_space, "LocalDefault");
                assert_eq!(data.gateway, "10.66.0.1/24");
                let generic = &asked.options["com.docker.network.generic"];
                assert_eq!(generic["bridge"], "br0");
                Ok(())
            }
            Some(_) | None => Err("pipework: no\n  hint: \"quoted\"".to_owned()),
        }
    }
    fn delete_network(&self, asked: &OfNetwork) -> Result<(), Refusal> {
        assert_eq!(asked.network, ID);
        Ok(())
    }
    fn create_endpoint(&self, asked: &CreateEndpoint) -> Result<Interface, Refusal> {
        assert_eq!(
            (asked.network.as_str(), asked.endpoint.as_str()),
            (ID, ENDPOINT)
        );
        let mac_address = match asked.interface.mac_address.as_str() {
            "" => "02:11:22:33:44:55".to_owned(),
            _ => String::new(),
        };
        let address = match asked.interface.address.as_str() {
            "" => "10.66.0.201/24".to_owned(),
            _ => String::new(),
        };
        Ok(Interface {
            address,
            mac_address,
            address6: String::new(),
        })
    }
    fn delete_endpoint(&self, asked: &OfEndpoint) -> Result<(), Refusal> {
        assert_eq!(asked.endpoint, ENDPOINT);
        Ok(())
    }
    fn join(&self, asked: &Join) -> Result<Joined, Refusal> {
        assert_eq!(asked.sandbox, "/var/run/docker/netns/bfb50f70b4ac");
        let router = StaticRoute {
            destination: "10.77.0.0/16".to_owned(),
            route_type: 0,
            next_hop: "10.66.0.9".to_owned(),
        };
        let on_link = StaticRoute {
            destination: "10.78.0.0/16".to_owned(),
            route_type: 1,
            next_hop: String::new(),
        };
        Ok(Joined {
            name: InterfaceName {
                src_name: "pwe2abb360".to_owned(),
                dst_prefix: "eth".to_owned(),
                dst_name: String::new(),
            },
            gateway: "10.66.0.1".to_owned(),
            gateway6: String::new(),
            routes: vec![router, on_link],
            no_gateway_service: false,
        })
    }
    fn leave(&self, asked: &OfEndpoint) -> Result<(), Refusal> {
        assert_eq!(asked.network, ID);
        Ok(())
    }
    fn request_pool(&self, asked: &RequestPool, _: Option<i32>) -> Result<GivenPool, Refusal> {
        match asked.pool.as_str() {
            "" => Err("pipework: say which".to_owned()),
            pool => Ok(GivenPool {
                id: "p1".to_owned(),
                pool: pool.to_owned(),
            }),
        }
    }
    fn release_pool(&self, asked: &ReleasePool) -> Result<(), Refusal> {
        assert_eq!(asked.pool, "p1");
        Ok(())
    }
    fn request_address(&self, asked: &OfAddress) -> Result<GivenAddress, Refusal> {
        let address = match (asked.is_gateway(), asked.address.as_str()) {
            (true, _) => "10.66.0.1/24",
            (false, "") => "10.66.0.2/24",
            (false, _) => "10.66.0.77/24",
        };
        Ok(GivenAddress {
            address: address.to_owned(),
        })
    }
    fn release_address(&self, asked: &OfAddress) -> Result<(), Refusal> {
        assert_eq!(asked.address, "10.66.0.77");
        Ok(())
    }
}

fn reply(path: &str, body: &str) -> Reply {
    answer(&Told, path, body.as_bytes(), None)
}

#[track_caller]
fn answered(path: &str, body: Value) -> Value {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let reply = reply(path, &text);
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn it_says_what_it_is_and_can() {
    let both = json!({"Implements": ["NetworkDriver", "IpamDriver"]});
    assert_eq!(answered("/Plugin.Activate", Value::Null), both);
    let local = json!({"Scope": "local", "ConnectivityScope": "local"});
    assert_eq!(
        answered("/NetworkDriver.GetCapabilities", Value::Null),
        local
    );
    let macs = json!({"RequiresMACAddress": false});
    assert_eq!(answered("/IpamDriver.GetCapabilities", Value::Null), macs);
    let spaces =
        json!({"LocalDefaultAddressSpace": "pipework", "GlobalDefaultAddressSpace": "pipework"});
    assert_eq!(
        answered("/IpamDriver.GetDefaultAddressSpaces", Value::Null),
        spaces
    );
}

#[test]
fn a_network_is_made_and_ends() {
    let asked = json!({
        "NetworkID": ID,
        "Options": {
            "com.docker.network.enable_ipv6": false,
            "com.docker.network.generic": {"bridge": "br0", "parent": "eth9", "pipework.vlan": "100"}
        },
        "IPv4Data": [{"AddressSpace": "LocalDefault", "Gateway": "10.66.0.1/24", "Pool": "10.66.0.0/24"}],
        "IPv6Data": []
    });
    assert_eq!(answered("/NetworkDriver.CreateNetwork", asked), json!({}));
    let id = json!({ "NetworkID": ID });
    assert_eq!(answered("/NetworkDriver.DeleteNetwork", id), json!({}));
}

#[test]
fn an_endpoint_is_made_joins_leaves_and_ends() {
    let asked = json!({
        "NetworkID": ID, "EndpointID": ENDPOINT,
        "Interface": {"Address": "10.66.0.50/24", "AddressIPv6": "", "MacAddress": "02:42:aa:bb:cc:dd"},
        "Options": {
            "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 90}],
            "com.docker.network.endpoint.macaddress": "AkKqu8zd",
            "com.docker.network.portmap": [{"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080}]
        }
    });
    // What dockerd knows it must not be told: "cannot be modified".
    let nothing = json!({"Interface": {}});
    assert_eq!(answered("/NetworkDriver.CreateEndpoint", asked), nothing);
    let asked = json!({
        "NetworkID": ID, "EndpointID": ENDPOINT, "Options": null,
        "Interface": {"Address": "", "AddressIPv6": "", "MacAddress": ""}
    });
    let leased =
        json!({"Interface": {"Address": "10.66.0.201/24", "MacAddress": "02:11:22:33:44:55"}});
    assert_eq!(answered("/NetworkDriver.CreateEndpoint", asked), leased);
    let asked = json!({
        "NetworkID": ID, "EndpointID": ENDPOINT,
        "SandboxKey": "/var/run/docker/netns/bfb50f70b4ac", "Options": {}
    });
    let joined = json!({
        "InterfaceName": {"SrcName": "pwe2abb360", "DstPrefix": "eth"},
        "Gateway": "10.66.0.1",
        "StaticRoutes": [
            {"Destination": "10.77.0.0/16", "RouteType": 0, "NextHop": "10.66.0.9"},
            {"Destination": "10.78.0.0/16", "RouteType": 1}
        ]
    });
    assert_eq!(answered("/NetworkDriver.Join", asked), joined);
    let both = json!({"NetworkID": ID, "EndpointID": ENDPOINT});
    let info = answered("/NetworkDriver.EndpointOperInfo", both.clone());
    assert_eq!(info, json!({"Value": {}}));
    for call in [
        "ProgramExternalConnectivity",
        "RevokeExternalConnectivity",
        "Leave",
        "DeleteEndpoint",
    ] {
        let path = format!("/NetworkDriver.{call}");
        assert_eq!(answered(&path, both.clone()), json!({}), "{call}");
    }
}

#[test]
fn subnets_and_addresses_are_given_and_given_back() {
    let asked = json!({
        "AddressSpace": "pipework", "Pool": "10.66.0.0/24", "SubPool": "",
        "Options": {"foo": "bar"}, "V6": false
    });
    let given = json!({"PoolID": "p1", "Pool": "10.66.0.0/24"});
    assert_eq!(answered("/IpamDriver.RequestPool", asked), given);
    let gateway = json!({"RequestAddressType": "com.docker.network.gateway"});
    let mac = json!({"com.docker.network.endpoint.macaddress": "02:00:00:00:00:09"});
    for (address, options, given) in [
        ("", gateway, "10.66.0.1/24"),
        ("10.66.0.77", mac.clone(), "10.66.0.77/24"),
        ("", mac, "10.66.0.2/24"),
        ("", Value::Null, "10.66.0.2/24"),
    ] {
        let asked = json!({"PoolID": "p1", "Address": address, "Options": options});
        let answer = answered("/IpamDriver.RequestAddress", asked);
        assert_eq!(answer, json!({ "Address": given }));
    }
    let asked = json!({"PoolID": "p1", "Address": "10.66.0.77"});
    assert_eq!(answered("/IpamDriver.ReleaseAddress", asked), json!({}));
    let asked = json!({"PoolID": "p1"});
    assert_eq!(answered("/IpamDriver.ReleasePool", asked), json!({}));
}

/// With 200 and no pool, Docker would show "invalid CIDR address:", and a pool
/// of our own choice that overlaps another one would make it ask for ever.
#[test]
fn without_a_subnet_no_pool_is_named_but_an_error() {
    let asked =
        json!({"AddressSpace": "pipework", "Pool": "", "SubPool": "", "Options": {}, "V6": false});
    let refused = reply("/IpamDriver.RequestPool", &asked.to_string());
    let error = r#"{"Err":"pipework: say which"}"#.to_owned();
    assert_eq!((refused.status, refused.body), (500, error));
}

#[test]
fn a_refusal_is_told_as_json_whatever_is_in_it() {
    let asked = json!({"NetworkID": ID, "Options": {}, "IPv4Data": null, "IPv6Data": null});
    let refused = reply("/NetworkDriver.CreateNetwork", &asked.to_string());
    assert_eq!(refused.status, 500);
    let body: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(body, json!({"Err": "pipework: no\n  hint: \"quoted\""}));
}

#[test]
fn what_nobody_knows_is_answered_and_what_is_no_json_refused() {
    for path in [
        "/NetworkDriver.DiscoverNew",
        "/NetworkDriver.DiscoverDelete",
        "/NetworkDriver.AllocateNetwork",
        "/NetworkDriver.FreeNetwork",
        "/Something.New",
    ] {
        assert_eq!(answered(path, json!({})), json!({}), "{path}");
    }
    for body in ["", "{", "[]", "{}", "null", "{\"NetworkID\": 5}", "\u{0}"] {
        let refused = reply("/NetworkDriver.CreateNetwork", body);
        assert_eq!(refused.status, 500, "{body}");
        assert!(refused.body.contains("cannot be read"), "{}", refused.body);
    }
}
