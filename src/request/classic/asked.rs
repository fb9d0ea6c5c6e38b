//! The classic form in the fields of annotations.

use super::client::Client;
use super::grammar::Attach;
use crate::request::IfName;

/// What an interface will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A port of a bridge, of Linux or Open vSwitch, with an end on the host.
    Port,
    /// A child of a NIC, or the NIC itself.
    Nic,
    /// A radio, which moves with its interface, and which none can be a child of.
    Radio,
    /// A child of an InfiniBand interface.
    Infiniband,
    /// An interface that leads nowhere.
    Dummy,
}

/// Why the third word is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressFault {
    /// It has no prefix length.
    NoNetmask(String),
    /// The family is not that of the address, or none.
    Family {
        /// What `-a` says.
        family: String,
        /// The address.
        address: String,
    },
}

/// Whence an interface has its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// As it is written, for `ip`.
    Written(String),
    /// From a server.
    Asked {
        /// The word for `ip`.
        how: &'static str,
        /// What its client is told.
        client: Client,
    },
}

impl Address {
    /// Reads the address of the third word, and the family.
    pub fn parse(attach: &Attach) -> Result<Self, AddressFault> {
        let address = &attach.address;
        let is_v6 = match attach.family.as_deref() {
            None => None,
            Some("4" | "inet") => Some(false),
            Some("6" | "inet6") => Some(true),
            Some(_) => return Err(family(attach)),
        };
        if let Some(client) = Client::parse(address, &attach.guest) {
            let how = if is_v6 == Some(true) { "dhcp6" } else { "dhcp" };
            return Ok(Self::Asked { how, client });
        }
        let Some((ip, _)) = address.split_once('/') else {
            return Err(AddressFault::NoNetmask(address.clone()));
        };
        // An `@` without a gateway is none.
        let written = address.strip_suffix('@').unwrap_or(address);
        let is_none = written == "0/0";
        match is_v6 {
            Some(v6) if !is_none && ip.contains(':') != v6 => Err(family(attach)),
            Some(_) | None => Ok(Self::Written(written.to_owned())),
        }
    }
}

fn family(attach: &Attach) -> AddressFault {
    AddressFault::Family {
        family: attach.family.clone().unwrap_or_default(),
        address: attach.address.clone(),
    }
}

/// The name of the end on the host: what was written, or the script's, `vIFplPID`,
/// or none where that is longer than a name can be.
pub fn hostif(attach: &Attach, pid: i32) -> Option<String> {
    if let Some(hostif) = &attach.hostif {
        return Some(hostif.clone());
    }
    let ifname = attach.ifname.as_deref().unwrap_or("eth1");
    // A namespace that is bound to a path has no process to name it by.
    let name = (pid > 1).then(|| format!("v{ifname}pl{pid}"));
    name.filter(|name| name.parse::<IfName>().is_ok())
}

/// The fields with their values; options that its client does not know
/// are left out.
pub fn pairs(
    attach: &Attach,
    kind: Kind,
    address: &Address,
    hostif: Option<&str>,
) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut set = |field: &str, value: &str| {
        pairs.push((field.to_owned(), value.to_owned()));
    };
    match kind {
        Kind::Nic | Kind::Radio if attach.direct => {
            set("device", &attach.uplink);
            // The script moves whatever it is told to; with a VLAN the card stays.
            if attach.vlan.is_none() {
                set("device.force", "true");
                if kind == Kind::Radio {
                    set("type", "wifi");
                }
            }
        }
        Kind::Nic | Kind::Radio | Kind::Port => set("link", &attach.uplink),
        Kind::Infiniband => set("ipoib", &attach.uplink),
        Kind::Dummy => set("dummy", &attach.uplink),
    }
    if let Some(ifname) = &attach.ifname {
        set("ifname", ifname);
    }
    if let Some(hostif) = hostif {
        set("hostif", hostif);
    }
    if let Some(mac) = &attach.mac {
        set("mac", mac);
    }
    match (&attach.vlan, kind) {
        (Some(vlan), Kind::Infiniband) => set("ipoib.pkey", &format!("0x{vlan}")),
        (Some(vlan), Kind::Nic | Kind::Radio | Kind::Port | Kind::Dummy) => set("vlan", vlan),
        (None, _) => {}
    }
    if attach.dad {
        set("dad", "arp");
    }
    match address {
        Address::Written(ip) => set("ip", ip),
        Address::Asked { how, client } => {
            set("ip", how);
            for (field, value) in &client.fields {
                set(field, value);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Uplink;
    use crate::request::annotations::{NoNetworks, Pair, parse_for};

    fn attach(address: &str, family: Option<&str>) -> Attach {
        Attach {
            uplink: "br1".to_owned(),
            guest: "web".to_owned(),
            address: address.to_owned(),
            family: family.map(str::to_owned),
            ..Attach::default()
        }
    }

    fn address(text: &str, family: Option<&str>) -> Result<Address, AddressFault> {
        Address::parse(&attach(text, family))
    }

    #[test]
    fn an_address_without_a_length_is_none() {
        for text in ["10.0.0.1", "10.0.0.1@10.0.0.254", "dhcp6", "dhcpcd-f"] {
            let fault = AddressFault::NoNetmask(text.to_owned());
            assert_eq!(address(text, None), Err(fault));
        }
    }

    #[test]
    fn the_family_is_inferred_and_may_be_said_in_any_of_its_words() {
        for (text, family) in [
            ("10.0.0.1/24", "4"),
            ("10.0.0.1/24", "inet"),
            ("fd00::1/64@fe80::1", "6"),
            ("fd00::1/64", "inet6"),
            ("0/0", "6"),
        ] {
            let written = Address::Written(text.to_owned());
            assert_eq!(address(text, Some(family)), Ok(written.clone()));
            assert_eq!(address(text, None), Ok(written));
        }
        for (text, family) in [("10.0.0.1/24", "6"), ("fd00::1/64", "4"), ("0/0", "5")] {
            assert!(address(text, Some(family)).is_err(), "{text} {family}");
        }
    }

    #[test]
    fn the_end_on_the_host_has_the_scripts_name_where_that_is_short_enough() {
        let mut attach = attach("0/0", None);
        assert_eq!(hostif(&attach, 4711).as_deref(), Some("veth1pl4711"));
        attach.ifname = Some("container".to_owned());
        assert_eq!(hostif(&attach, 4_000_000), None);
        attach.hostif = Some("web0".to_owned());
        assert_eq!(hostif(&attach, 1).as_deref(), Some("web0"));
    }

    #[test]
    fn a_radio_that_is_moved_is_asked_for_as_one() {
        let mut attach = attach("0/0", None);
        attach.uplink = "wlan0".to_owned();
        attach.direct = true;
        let address = Address::Written("0/0".to_owned());
        let pairs = pairs(&attach, Kind::Radio, &address, None);
        let fields = pairs.iter().map(|(k, v)| Pair::field(k, v));
        let request = parse_for(fields, &mut NoNetworks, &|_| None).unwrap();
        let request = request.unwrap();
        let uplink = &request.attachments[0].uplink.value;
        assert!(matches!(uplink, Uplink::Wifi { .. }), "{uplink:?}");
    }

    #[test]
    fn an_infiniband_interface_has_a_partition_where_others_have_a_vlan() {
        let mut attach = attach("0/0", None);
        attach.uplink = "ib0".to_owned();
        attach.vlan = Some("8001".to_owned());
        let address = Address::Written("0/0".to_owned());
        let pairs = pairs(&attach, Kind::Infiniband, &address, None);
        let pkey = ("ipoib.pkey".to_owned(), "0x8001".to_owned());
        assert!(pairs.contains(&pkey), "{pairs:?}");
        let fields = pairs.iter().map(|(k, v)| Pair::field(k, v));
        assert!(parse_for(fields, &mut NoNetworks, &|_| None).is_ok_and(|r| r.is_some()));
    }
}
