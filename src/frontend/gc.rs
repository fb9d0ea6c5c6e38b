//! `pipework gc`: the full sweep over the records.
//!
//! Starts look at a few records each; this looks at all of them, and at the
//! bridges that we made. Run it by hand or from a timer. `--docker-network` ends a
//! network of Docker's that no dockerd has any more, which nothing can know but a person.

use std::path::Path;
use std::time::Duration;

use crate::collect::{CollectError, Collector, Fate, NIC_PATIENCE, OvsSwept};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::cli::print;
use crate::frontend::collecting::with_collector;
use crate::frontend::docker_plugin::orphan;
use crate::frontend::given::Given;
use crate::logging::to_stderr;
use crate::pools::{self, Pools};
use crate::record::{DIRECTORY, Store};
use crate::rt::Holder;
use crate::uplink::{self, Host};

/// A thousand dead records take a few seconds.
const TIME: Duration = Duration::from_secs(300);

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Namespaces whose remains were removed.
    pub ended: usize,
    /// Namespaces that are in use.
    pub living: usize,
    /// Ports of Open vSwitch that no record spoke of.
    pub ovs_ports: usize,
    /// Bridges that were removed.
    pub bridges: Vec<String>,
    /// What attachments shared that nobody uses any more.
    pub objects: Vec<String>,
    /// Containers and interfaces whose leases nobody keeps any more.
    pub leases: Vec<String>,
    /// Addresses of pools that nobody has any more.
    pub addresses: Vec<String>,
    /// What could not be removed, and why.
    pub failed: Vec<String>,
}

/// Sweeps, or ends the network that is named; `None` where the options are none of
/// its.
pub fn run(given: &Given) -> Option<u8> {
    match (given.value("--docker-network"), given.has("--force")) {
        (Some(id), may_be_silent) => Some(end_network(id, may_be_silent)),
        (None, true) => None,
        (None, false) => Some(sweep_and_tell()),
    }
}

fn end_network(id: &str, may_be_silent: bool) -> u8 {
    match orphan::end(id, may_be_silent) {
        Ok(id) => print(&format!("ended the network {id} with its pools\n")),
        Err(error) => {
            to_stderr(&crate::error::report(&error, None));
            error.exit_code() as u8
        }
    }
}

/// Sweeps and prints what was done. The exit code is 0 if all of it could be.
fn sweep_and_tell() -> u8 {
    match sweep() {
        Ok(swept) => {
            print(&format!("{} ended, {} in use\n", swept.ended, swept.living));
            if swept.ovs_ports > 0 {
                let ports = swept.ovs_ports;
                print(&format!(
                    "removed {ports} ports of Open vSwitch whose containers are gone\n"
                ));
            }
            for whose in &swept.leases {
                print(&format!("forgot the lease of {whose}, which is gone\n"));
            }
            for address in &swept.addresses {
                print(&format!("gave back {address}, which nobody had\n"));
            }
            for bridge in &swept.bridges {
                print(&format!("removed the bridge {bridge}, which was empty\n"));
            }
            for object in &swept.objects {
                print(&format!("removed {object}, which nobody used\n"));
            }
            for failure in &swept.failed {
                to_stderr(&format!("pipework: {failure}"));
            }
            u8::from(!swept.failed.is_empty())
        }
        Err(error) => {
            to_stderr(&crate::error::report(&error, None));
            error.exit_code() as u8
        }
    }
}

/// The same for the daemon: what was removed goes to the log.
pub fn sweep_quietly() {
    match sweep() {
        Ok(swept) => {
            for bridge in &swept.bridges {
                tracing::info!("removed the bridge {bridge}, which was empty");
            }
            for object in &swept.objects {
                tracing::info!("removed {object}, which nobody used");
            }
            for failure in &swept.failed {
                tracing::warn!("{failure}");
            }
        }
        Err(error) => tracing::warn!(%error, "what dead containers left behind stays for now"),
    }
}

fn sweep() -> Result<Swept, Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let deadline = Deadline::after(TIME);
    // An uplink whose guard was killed must not wait for somebody to ask.
    let uplinks = Host::open(store, deadline).and_then(|host| uplink::settle(&host));
    let mut swept = with_collector(deadline, NIC_PATIENCE, all)?;
    if let Err(error) = uplinks {
        swept.failed.push(format!("uplinks: {error}"));
    }
    Ok(swept)
}

async fn all(collector: &Collector<'_>) -> Swept {
    let mut swept = Swept::default();
    for record in collector.store.all() {
        let fate = match record {
            Ok(record) => collector.reap(&record.key).await,
            Err(error) => Err(CollectError::from(error)),
        };
        match fate {
            Ok(Fate::Ended) => swept.ended += 1,
            Ok(Fate::Lives | Fate::Busy) => swept.living += 1,
            Err(error) => swept.failed.push(error.to_string()),
        }
    }
    if let Err(error) = collector.store.sweep_ways(collector.deadline) {
        swept.failed.push(error.to_string());
    }
    for lease in collector.sweep_leases() {
        match lease {
            Ok(whose) => swept.leases.push(whose),
            Err(error) => swept.failed.push(error.to_string()),
        }
    }
    let is_gone = |holder: &Holder| pools::is_gone(collector.store, holder);
    for claim in Pools::of_this_host().sweep(&is_gone, collector.deadline) {
        match claim {
            Ok(claim) => swept.addresses.push(claim.to_string()),
            Err(error) => swept.failed.push(error.to_string()),
        }
    }
    for object in collector.sweep_objects().await {
        match object {
            Ok(gone) => swept.objects.extend(gone),
            Err(error) => swept.failed.push(error.to_string()),
        }
    }
    let bridges = collector.store.bridges().unwrap_or_else(|error| {
        swept.failed.push(error.to_string());
        Vec::new()
    });
    for bridge in bridges {
        let name = bridge.name.to_string();
        match collector.reap_bridge(bridge).await {
            Ok(true) => swept.bridges.push(name),
            Ok(false) => {}
            Err(error) => swept.failed.push(format!("{name}: {error}")),
        }
    }
    match collector.sweep_ovs().await {
        Ok(OvsSwept { ports, bridges }) => {
            swept.ovs_ports = ports;
            swept.bridges.extend(bridges);
        }
        Err(error) => swept.failed.push(error.to_string()),
    }
    swept
}
