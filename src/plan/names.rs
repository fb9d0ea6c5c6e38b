//! Names and hardware addresses that nobody gave: the same after every start.
//!
//! Both are hashes of what identifies the container, so that switches, DHCP
//! reservations and monitoring see the same interface again. The machine's
//! identity is part of a MAC, because two hosts may both run a `web`.

use sha2::{Digest, Sha256};

use crate::request::{IfName, MacAddr};

/// What identifies a sandbox over its restarts, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// This machine's id, or another random value that survives a reboot.
    pub machine_id: String,
    /// The engine that runs the container: `podman`, `oci`.
    pub engine: &'static str,
    /// The container's name in that engine.
    pub name: String,
    /// Its present life, which no name and no address may depend on.
    pub life: Life,
}

#[cfg(test)]
impl Identity {
    /// A container `web` in its first life.
    pub fn sample() -> Self {
        Self {
            machine_id: "m".to_owned(),
            engine: "oci",
            name: "web".to_owned(),
            life: Life::default(),
        }
    }
}

/// One life of a container, from a start to its end: what proves that something
/// is its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// Its id in its runtime.
    pub id: String,
    /// Pid of its first process.
    pub pid: i32,
    /// This boot's random id.
    pub boot_id: String,
    /// The cookie of its network namespace.
    pub cookie: u64,
}

/// SHA-256 over the parts, each ended by a NUL so that none runs into the next.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}

/// The hash for one use, of everything that identifies an interface but its life.
fn of_interface(used_for: &str, identity: &Identity, ifname: &IfName) -> [u8; 32] {
    let Identity {
        machine_id,
        engine,
        name,
        life: _,
    } = identity;
    digest(&[used_for, machine_id, engine, name, ifname.as_str()])
}

fn local_mac(first: u8, hash: [u8; 32]) -> MacAddr {
    let [a, b, c, d, e, ..] = hash;
    MacAddr::local([first, a, b, c, d, e])
}

/// The stable MAC of an interface: `02:` and five bytes of the hash.
///
/// The machine id itself stays secret: only this application-specific hash of
/// it is seen on the network (machine-id(5)).
pub fn stable_mac(identity: &Identity, ifname: &IfName) -> MacAddr {
    local_mac(0x02, of_interface("pipework mac", identity, ifname))
}

/// A UUID for an interface that has no MAC of its own to be known by.
pub fn duid(identity: &Identity, ifname: &IfName) -> [u8; 16] {
    let hash = of_interface("pipework duid", identity, ifname);
    let mut uuid = [0; 16];
    uuid.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    uuid
}

/// The MAC of a bridge that we make.
pub fn bridge_mac(machine_id: &str, bridge: &IfName) -> MacAddr {
    local_mac(
        0x02,
        digest(&["pipework bridge", machine_id, bridge.as_str()]),
    )
}

/// The MAC of the host's end of a veth pair: above that of any other port,
/// because a bridge takes the lowest one of its ports for its own
/// (`br_stp_recalculate_bridge_id`).
pub fn host_mac(identity: &Identity, ifname: &IfName) -> MacAddr {
    local_mac(0xfe, of_interface("pipework host", identity, ifname))
}

/// The MAC of the host's own child of a NIC.
pub fn shim_mac(machine_id: &str, nic: &IfName) -> MacAddr {
    local_mac(0x02, digest(&["pipework shim", machine_id, nic.as_str()]))
}

/// Name of the host's end: `pw` and 10 hex digits of (name, ifname).
pub fn host_name(name: &str, ifname: &IfName) -> IfName {
    let [a, b, c, d, e, ..] = digest(&["pipework port", name, ifname.as_str()]);
    IfName::of_port([a, b, c, d, e])
}

/// The text that `ip link` shows for the host's end, within `IFALIASZ`.
pub fn alias(name: &str, ifname: &IfName) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
    format!("pipework:{name}/{ifname}")
}

/// What names an interface to servers where its MAC is not its own: with what
/// tells this machine from another that runs the same name.
pub fn client_name(identity: &Identity, ifname: &IfName) -> String {
    let [a, b, c, d, e, ..] = of_interface("pipework client", identity, ifname);
    let own = alias(&identity.name, ifname);
    format!("{own}@{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(machine_id: &str, name: &str) -> Identity {
        Identity {
            machine_id: machine_id.into(),
            engine: "podman",
            name: name.into(),
            life: Life::default(),
        }
    }

    fn eth1() -> IfName {
        "eth1".parse().unwrap()
    }

    #[test]
    fn two_machines_that_run_the_same_name_have_different_macs() {
        let a = stable_mac(&identity("a", "web"), &eth1());
        let b = stable_mac(&identity("b", "web"), &eth1());
        assert_ne!(a, b);
        assert_eq!(a, stable_mac(&identity("a", "web"), &eth1()));
    }

    #[test]
    fn what_is_made_for_a_host_has_another_mac_on_another_machine() {
        let br0: IfName = "br0".parse().unwrap();
        let bridges = ["a", "b"].map(|machine| bridge_mac(machine, &br0));
        let shims = ["a", "b"].map(|machine| shim_mac(machine, &br0));
        let all = [bridges[0], bridges[1], shims[0], shims[1]];
        for (place, mac) in all.iter().enumerate() {
            assert!(!all[..place].contains(mac), "{all:?}");
            assert_eq!(mac.octets().first(), Some(&0x02));
        }
        assert_eq!(bridge_mac("a", &br0), bridges[0]);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let a = stable_mac(&identity("a", "bc"), &eth1());
        let b = stable_mac(&identity("ab", "c"), &eth1());
        assert_ne!(a, b);
    }

    #[test]
    fn a_stable_mac_is_local_and_unicast_and_the_ports_is_above_all_others() {
        let mac = stable_mac(&identity("a", "web"), &eth1());
        assert_eq!(mac.octets().first(), Some(&0x02));
        let port = host_mac(&identity("a", "web"), &eth1());
        assert_eq!(port.octets().first(), Some(&0xfe));
    }

    #[test]
    fn a_port_is_called_pw_and_ten_hex_digits() {
        let name = host_name("web", &eth1());
        assert_eq!(name.as_str().len(), 12);
        assert!(name.as_str().starts_with("pw"));
        assert_eq!(name, host_name("web", &eth1()));
    }

    #[test]
    fn two_machines_that_run_the_same_name_are_two_clients() {
        let a = client_name(&identity("a", "web"), &eth1());
        let b = client_name(&identity("b", "web"), &eth1());
        assert_ne!(a, b);
        assert_eq!(a, client_name(&identity("a", "web"), &eth1()));
        let long = client_name(&identity("a", &"n".repeat(300)), &eth1());
        let longer = client_name(&identity("a", &"n".repeat(301)), &eth1());
        assert!(long.len() < 255 && long != longer);
    }

    #[test]
    fn an_alias_fits_what_the_kernel_takes() {
        assert!(alias(&"ü".repeat(4000), &eth1()).len() < 256);
    }
}
