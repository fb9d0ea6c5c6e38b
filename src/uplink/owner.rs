//! Who configures a NIC: a network manager or a DHCP client that would undo
//! what we do, or renew an address where it no longer is.
//!
//! Read from files that they keep below /run and from /proc; nothing is asked
//! over D-Bus, and no file's content becomes a path.

use std::fmt;
use std::fs;
use std::path::Path;

use super::snippet::Kind;
use crate::sys::proc;

/// DHCP clients by the name of their process, which the kernel cuts after 15
/// bytes.
const CLIENTS: [&str; 4] = ["dhclient", "dhcpcd", "udhcpc", "dhcp6c"];
/// Programs that configure every NIC, with what people call them.
const MANAGERS: [(&str, &str); 2] = [("connmand", "ConnMan"), ("wickedd", "wicked")];
/// A file of a manager is no larger.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Who configures a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
    /// A DHCP client of its own.
    Client {
        /// Its name.
        name: String,
        /// Its pid.
        pid: i32,
    },
    /// Another manager.
    Other {
        /// What people call it.
        name: &'static str,
        /// Its pid.
        pid: i32,
    },
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Networkd => f.write_str("systemd-networkd"),
            Self::NetworkManager => f.write_str("NetworkManager"),
            Self::Client { name, pid } => write!(f, "{name} (pid {pid})"),
            Self::Other { name, pid } => write!(f, "{name} (pid {pid})"),
        }
    }
}

impl Owner {
    /// In which form the same is configured there.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Networkd => Kind::Networkd,
            Self::NetworkManager => Kind::NetworkManager,
            Self::Client { .. } | Self::Other { .. } => Kind::Ifupdown,
        }
    }

    /// What to do, with the configuration that would do the same.
    pub fn hint(&self, snippet: &str) -> String {
        let instead = match self {
            Self::Networkd | Self::NetworkManager => {
                format!("configure it there instead:\n{snippet}")
            }
            Self::Client { name, .. } => format!(
                "it would renew the lease on the NIC; end {name} and run it on the bridge afterwards, e.g.:\n{snippet}"
            ),
            Self::Other { .. } => "configure the bridge there instead".to_owned(),
        };
        format!("{instead}\nor pass --force, if you take care of that yourself")
    }
}

/// Everybody who configures the device `name` with the index `ifindex`.
pub fn owners(name: &str, ifindex: u32, inode: u64) -> Vec<Owner> {
    let mut owners = Vec::new();
    let root = Path::new("/run");
    if is_networkds(root, ifindex) {
        owners.push(Owner::Networkd);
    }
    if is_network_managers(root, ifindex) {
        owners.push(Owner::NetworkManager);
    }
    for pid in proc::in_network_namespace(inode).unwrap_or_default() {
        // A process that ended in between owns nothing.
        let Ok((process, _)) = proc::name_and_parent(pid) else {
            continue;
        };
        if let Some((_, called)) = MANAGERS
            .iter()
            .find(|(process_name, _)| *process_name == process)
        {
            owners.push(Owner::Other { name: called, pid });
        }
        let words = proc::command_line(pid).unwrap_or_default();
        if CLIENTS.contains(&process.as_str()) && serves(&words, name) {
            owners.push(Owner::Client { name: process, pid });
        }
    }
    owners
}

/// Whether a client with that command line serves the device: it is named
/// there, or none is, and then a client serves all.
fn serves(words: &[String], name: &str) -> bool {
    let mut names = words
        .iter()
        .skip(1)
        .flat_map(|word| word.split_ascii_whitespace());
    let named = |word: &str| word == name;
    if names.any(named) {
        return true;
    }
    let is_device = |word: &&String| {
        let path = Path::new("/proc/sys/net/ipv4/conf").join(word);
        !word.contains('/') && !word.starts_with('.') && path.exists()
    };
    !words.iter().skip(1).any(|word| is_device(&word))
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
        .map(str::trim)
}

/// What networkd says of each link that it knows (sd-network.h, ADMIN_STATE).
fn is_networkds(run: &Path, ifindex: u32) -> bool {
    let text = read(&run.join(format!("systemd/netif/links/{ifindex}")));
    let state = text.as_deref().and_then(|text| value(text, "ADMIN_STATE"));
    matches!(
        state,
        Some("configuring" | "configured" | "pending" | "initialized")
    )
}

/// What NetworkManager keeps of each device.
fn is_network_managers(run: &Path, ifindex: u32) -> bool {
    let text = read(&run.join(format!("NetworkManager/devices/{ifindex}")));
    let managed = text.as_deref().and_then(|text| value(text, "managed"));
    matches!(managed, Some("true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_client_serves_the_device_that_it_names_and_one_without_a_name_serves_all() {
        assert!(serves(&words("dhclient -4 -v eth0"), "eth0"));
        assert!(serves(&words("dhcpcd: [BPF ARP] eth0"), "eth0"));
        assert!(serves(&words("dhclient -d"), "eth0"));
        // lo is a device everywhere.
        assert!(!serves(&words("udhcpc -i lo"), "eth0"));
    }

    #[test]
    fn the_files_of_managers_are_read_by_their_keys() {
        assert_eq!(
            value("# c\nADMIN_STATE=configured\n", "ADMIN_STATE"),
            Some("configured")
        );
        assert_eq!(value("[device]\nmanaged = x\n", "managed"), None);
        assert_eq!(value("", "managed"), None);
    }
}
