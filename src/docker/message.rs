//! What dockerd says to a plugin, and what it is answered (libnetwork's
//! drivers/remote/api and ipams/remote/api).
//!
//! Unknown fields are left unread: releases of dockerd add some. What is absent
//! and what is null are the same to a program of Go.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What is null counts as absent.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Options by their keys: texts, booleans, and what has a form of its own.
pub type Options = BTreeMap<String, Value>;

/// One subnet of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IpamData {
    /// The address space that its addresses are given from.
    #[serde(deserialize_with = "or_default")]
    pub address_space: String,
    /// The subnet; `0.0.0.0/0` where nobody gives addresses.
    #[serde(deserialize_with = "or_default")]
    pub pool: String,
    /// Its gateway, with the subnet's length.
    #[serde(deserialize_with = "or_default")]
    pub gateway: String,
    /// Addresses that others have, by what they are called.
    #[serde(deserialize_with = "or_default")]
    pub aux_addresses: BTreeMap<String, String>,
}

/// A network is made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CreateNetwork {
    /// Its id.
    #[serde(rename = "NetworkID")]
    pub network: String,
    /// What was written behind `-o` is in `com.docker.network.generic`.
    #[serde(rename = "Options", default, deserialize_with = "or_default")]
    pub options: Options,
    /// Its subnets.
    #[serde(rename = "IPv4Data", default, deserialize_with = "or_default")]
    pub v4: Vec<IpamData>,
    /// Those of IPv6.
    #[serde(rename = "IPv6Data", default, deserialize_with = "or_default")]
    pub v6: Vec<IpamData>,
}

/// Whatever is said of a whole network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OfNetwork {
    /// Its id.
    #[serde(rename = "NetworkID")]
    pub network: String,
}

/// An interface of a container, as dockerd knows it. What dockerd knows already
/// is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Interface {
    /// Its address with the subnet's length, or nothing.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub address: String,
    /// The same for IPv6.
    #[serde(
        rename = "AddressIPv6",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub address6: String,
    /// Its hardware address, or nothing.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mac_address: String,
}

/// A container is about to join a network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CreateEndpoint {
    /// The network.
    #[serde(rename = "NetworkID")]
    pub network: String,
    /// A new id at each start.
    #[serde(rename = "EndpointID")]
    pub endpoint: String,
    /// What dockerd has decided of its interface.
    #[serde(rename = "Interface", default, deserialize_with = "or_default")]
    pub interface: Interface,
    /// Docker's own options, and those of `driver-opt`.
    #[serde(rename = "Options", default, deserialize_with = "or_default")]
    pub options: Options,
}

/// Whatever is said of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OfEndpoint {
    /// The network.
    #[serde(rename = "NetworkID")]
    pub network: String,
    /// The endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint: String,
}

/// A container joins.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Join {
    /// The network.
    #[serde(rename = "NetworkID")]
    pub network: String,
    /// The endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint: String,
    /// Where its network namespace is, or will be.
    #[serde(rename = "SandboxKey", default, deserialize_with = "or_default")]
    pub sandbox: String,
}

/// How dockerd finds the interface, and what it calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InterfaceName {
    /// Its name on the host.
    pub src_name: String,
    /// Its name in the container, to which dockerd adds a number.
    pub dst_prefix: String,
    /// Its whole name, which Docker 28.1 and later know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dst_name: String,
}

/// A route of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StaticRoute {
    /// Where to.
    pub destination: String,
    /// 0: by a router; 1: on the link.
    pub route_type: u8,
    /// The router.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_hop: String,
}

/// What a container gets that joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// Its interface.
    #[serde(rename = "InterfaceName")]
    pub name: InterfaceName,
    /// The gateway, where it has one.
    #[serde(rename = "Gateway", skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// The same for IPv6.
    #[serde(rename = "GatewayIPv6", skip_serializing_if = "String::is_empty")]
    pub gateway6: String,
    /// Further routes.
    #[serde(rename = "StaticRoutes", skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<StaticRoute>,
    /// Without a gateway dockerd would plug the container into a bridge of its
    /// own besides, with a default route.
    #[serde(
        rename = "DisableGatewayService",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub no_gateway_service: bool,
}

/// A subnet is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestPool {
    /// Whose addresses.
    #[serde(deserialize_with = "or_default")]
    pub address_space: String,
    /// The subnet, or nothing if any will do.
    #[serde(deserialize_with = "or_default")]
    pub pool: String,
    /// Only these of its addresses (`--ip-range`), or nothing.
    #[serde(deserialize_with = "or_default")]
    pub sub_pool: String,
    /// What was written behind `--ipam-opt`.
    #[serde(deserialize_with = "or_default")]
    pub options: BTreeMap<String, String>,
    /// Of IPv6.
    #[serde(rename = "V6", deserialize_with = "or_default")]
    pub v6: bool,
}

/// A subnet that is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenPool {
    /// What it is called from now on.
    #[serde(rename = "PoolID")]
    pub id: String,
    /// The subnet.
    #[serde(rename = "Pool")]
    pub pool: String,
}

/// A subnet is given back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleasePool {
    /// What it is called.
    #[serde(rename = "PoolID")]
    pub pool: String,
}

/// An address is asked for, or given back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OfAddress {
    /// The subnet.
    #[serde(rename = "PoolID")]
    pub pool: String,
    /// The address, or nothing if any will do.
    #[serde(rename = "Address", default, deserialize_with = "or_default")]
    pub address: String,
    /// What for.
    #[serde(rename = "Options", default, deserialize_with = "or_default")]
    pub options: BTreeMap<String, String>,
}

impl OfAddress {
    /// Whether it is that of the network's gateway.
    pub fn is_gateway(&self) -> bool {
        let kind = self.options.get("RequestAddressType");
        kind.is_some_and(|kind| kind == "com.docker.network.gateway")
    }
}

/// An address that is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GivenAddress {
    /// With the subnet's length.
    pub address: String,
}
