//! Requests of dockerd as calls of a trait, and their answers as bodies.
//!
//! Whatever nobody knows is answered with `{}`: dockerd asks for things that
//! plugins have nothing to say to. An error is a body with the status 500, as
//! Docker shows that one's text whatever was asked.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::message::{
    CreateEndpoint, CreateNetwork, GivenAddress, GivenPool, Interface, Join, Joined, OfAddress,
    OfEndpoint, OfNetwork, ReleasePool, RequestPool,
};

/// The address space of the pools that are ours.
pub const ADDRESS_SPACE: &str = "pipework";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// Its JSON.
    pub body: String,
}

/// What a user of Docker reads.
pub type Refusal = String;

/// Who does what dockerd asks for. A call may come again: dockerd repeats what was
/// not answered.
pub trait Plugin {
    /// A network is made.
    fn create_network(&self, asked: &CreateNetwork) -> Result<(), Refusal>;
    /// A network ends.
    fn delete_network(&self, asked: &OfNetwork) -> Result<(), Refusal>;
    /// An interface is made, on the host. What dockerd does not know of it.
    fn create_endpoint(&self, asked: &CreateEndpoint) -> Result<Interface, Refusal>;
    /// An interface ends. It may be on the host again, or gone.
    fn delete_endpoint(&self, asked: &OfEndpoint) -> Result<(), Refusal>;
    /// dockerd is about to move an interface to its container.
    fn join(&self, asked: &Join) -> Result<Joined, Refusal>;
    /// dockerd is about to move it back.
    fn leave(&self, asked: &OfEndpoint) -> Result<(), Refusal>;
    /// A subnet is asked for, by the process `peer` where that is known.
    fn request_pool(&self, asked: &RequestPool, peer: Option<i32>) -> Result<GivenPool, Refusal>;
    /// A subnet is given back.
    fn release_pool(&self, asked: &ReleasePool) -> Result<(), Refusal>;
    /// An address is asked for.
    fn request_address(&self, asked: &OfAddress) -> Result<GivenAddress, Refusal>;
    /// An address is given back.
    fn release_address(&self, asked: &OfAddress) -> Result<(), Refusal>;
}

/// The answer to a request for `path` with `body`, which the process `peer` made.
pub fn answer(plugin: &impl Plugin, path: &str, body: &[u8], peer: Option<i32>) -> Reply {
    let answered = match path {
        "/Plugin.Activate" => Ok(json!({"Implements": ["NetworkDriver", "IpamDriver"]})),
        "/NetworkDriver.GetCapabilities" => {
            Ok(json!({"Scope": "local", "ConnectivityScope": "local"}))
        }
        // With them, dockerd would draw a new one at each start.
        "/IpamDriver.GetCapabilities" => Ok(json!({"RequiresMACAddress": false})),
        "/IpamDriver.GetDefaultAddressSpaces" => Ok(json!({
            "LocalDefaultAddressSpace": ADDRESS_SPACE,
            "GlobalDefaultAddressSpace": ADDRESS_SPACE,
        })),
        "/NetworkDriver.CreateNetwork" => done(body, |asked| plugin.create_network(asked)),
        "/NetworkDriver.DeleteNetwork" => done(body, |asked| plugin.delete_network(asked)),
        "/NetworkDriver.CreateEndpoint" => told(body, |asked| {
            let interface = plugin.create_endpoint(asked)?;
            Ok(json!({ "Interface": interface }))
        }),
        "/NetworkDriver.DeleteEndpoint" => done(body, |asked| plugin.delete_endpoint(asked)),
        "/NetworkDriver.Join" => told(body, |asked| plugin.join(asked)),
        "/NetworkDriver.Leave" => done(body, |asked| plugin.leave(asked)),
        "/NetworkDriver.EndpointOperInfo" => Ok(json!({"Value": {}})),
        "/IpamDriver.RequestPool" => told(body, |asked| plugin.request_pool(asked, peer)),
        "/IpamDriver.ReleasePool" => done(body, |asked| plugin.release_pool(asked)),
        "/IpamDriver.RequestAddress" => told(body, |asked| plugin.request_address(asked)),
        "/IpamDriver.ReleaseAddress" => done(body, |asked| plugin.release_address(asked)),
        _ => Ok(json!({})),
    };
    match answered {
        Ok(value) => Reply {
            status: 200,
            body: value.to_string(),
        },
        Err(text) => Reply {
            status: 500,
            body: json!({ "Err": text }).to_string(),
        },
    }
}

fn told<A: DeserializeOwned, T: Serialize>(
    body: &[u8],
    call: impl FnOnce(&A) -> Result<T, Refusal>,
) -> Result<Value, Refusal> {
    let asked = serde_json::from_slice(body)
        .map_err(|error| format!("pipework: the request of dockerd cannot be read: {error}"))?;
    let answer = call(&asked)?;
    serde_json::to_value(answer).map_err(|error| format!("pipework: {error}"))
}

fn done<A: DeserializeOwned>(
    body: &[u8],
    call: impl FnOnce(&A) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    told(body, |asked| call(asked).map(|()| json!({})))
}
