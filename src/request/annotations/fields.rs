//! The fields of one interface, each read into its type; what they mean
//! together is decided in `attachment`.

use std::time::Duration;

use super::dynamic;
use super::entry::Entry;
use super::nic::IpoibFields;
use super::routing;
use crate::request::address::AddressWithGateway;
use crate::request::error::RequestError;
use crate::request::keys::form::{TYPES, boolean, within};
use crate::request::mac::MacError;
use crate::request::ovs::external_id;
use crate::request::{
    Announce, Asked, DefaultRoute, DeviceOptions, DeviceRef, DhcpOptions, DnsOptions, Dynamic,
    IfName, IpvlanMode, MacAddr, MacvlanMode, Metric, Mtu, NetworkName, OvsOptions, PhysicalRef,
    Pool, PortOptions, Route, Routing, Sysctl, Traffic, Trunk, VlanId, VlanMode,
};

/// A field's value with the annotation that it comes from.
#[derive(Debug)]
pub struct Read<'e, T> {
    /// The value.
    pub value: T,
    /// The annotation.
    pub entry: &'e Entry<'e>,
}

/// The device behind an uplink key.
#[derive(Debug)]
pub enum Plug {
    /// `bridge`.
    Bridge(IfName),
    /// `parent`.
    Parent(DeviceRef),
    /// `link`.
    Link(DeviceRef),
    /// `ovs`.
    Ovs(IfName),
    /// `device`.
    Device(PhysicalRef),
    /// `ipoib`.
    Ipoib(DeviceRef),
    /// `dummy`, or `type=dummy` alone.
    Dummy,
}

/// `mode`: the words of the two kinds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One of macvlan.
    Macvlan(MacvlanMode),
    /// One of ipvlan.
    Ipvlan(IpvlanMode),
}

/// The fields of one interface as they were written.
#[derive(Debug, Default)]
pub struct Fields<'e> {
    /// The first annotation of the interface, in sorted order.
    pub first: Option<&'e Entry<'e>>,
    /// All uplink keys.
    pub plugs: Vec<Read<'e, Plug>>,
    /// `type`.
    pub kind: Option<Read<'e, &'static str>>,
    /// `mode`.
    pub mode: Option<Read<'e, Mode>>,
    /// `ifname`.
    pub ifname: Option<Read<'e, IfName>>,
    /// `hostif`.
    pub hostif: Option<Read<'e, IfName>>,
    /// `mac` before its `@`.
    pub mac: Option<Asked<MacAddr>>,
    /// `mac` behind its `@`, as it was written.
    pub mac_tag: Option<Read<'e, &'e str>>,
    /// The same as a VLAN, which of InfiniBand it is none.
    pub mac_vlan: Option<Read<'e, VlanId>>,
    /// Why it is no VLAN.
    pub mac_no_vlan: Option<RequestError>,
    /// `vlan`.
    pub vlan: Option<Read<'e, VlanId>>,
    /// `trunk`.
    pub trunk: Option<Read<'e, Trunk>>,
    /// `mtu`.
    pub mtu: Option<Read<'e, Mtu>>,
    /// `txqlen`.
    pub txqlen: Option<Asked<u32>>,
    /// `ip`, where it holds addresses.
    pub ip: Option<Read<'e, AddressWithGateway>>,
    /// `gw`.
    pub gw: Option<&'e Entry<'e>>,
    /// `default`.
    pub default: Option<Read<'e, DefaultRoute>>,
    /// `metric`.
    pub metric: Option<Read<'e, Metric>>,
    /// `route`.
    pub routes: Vec<Asked<Route>>,
    /// `sysctl.…`.
    pub sysctls: Vec<Read<'e, Sysctl>>,
    /// `isolate`, `hairpin`, `spoofcheck`, `promisc`.
    pub port: PortOptions,
    /// `rate.in`, `rate.out`, `burst`, `tc`.
    pub traffic: Traffic,
    /// `rule`, `neigh`, `sbr`, `dad`.
    pub routing: Routing,
    /// `net`.
    pub network: Option<Asked<NetworkName>>,
    /// `ip=pool`, before its ranges are known.
    pub pool_asked: Option<Read<'e, Option<NetworkName>>>,
    /// The same with its ranges.
    pub pool: Option<Asked<Pool>>,
    /// The words of `ip` that stand for learned addresses.
    pub dynamic: Vec<Asked<Dynamic>>,
    /// `dhcp.…`.
    pub dhcp: DhcpOptions,
    /// The first `dhcp.…`.
    pub of_dhcp: Option<&'e Entry<'e>>,
    /// `dns`, `dns.search`, `hosts`.
    pub dns: DnsOptions,
    /// `wait`.
    pub wait: Option<Asked<Duration>>,
    /// `device.force`, `vf.…`.
    pub device: DeviceOptions,
    /// `ipoib.pkey`, `ipoib.mode`.
    pub ipoib: IpoibFields<'e>,
    /// `ovs.…`.
    pub ovs: OvsOptions,
    /// The first `ovs.…`.
    pub of_ovs: Option<&'e Entry<'e>>,
    /// `ovs.vlan-mode`.
    pub vlan_mode: Option<&'e Entry<'e>>,
    /// `host-access`.
    pub host_access: Option<Asked<bool>>,
    /// `announce`.
    pub announce: Option<Asked<Announce>>,
    /// `optional`.
    pub optional: Option<Asked<bool>>,
}

impl<'e> Fields<'e> {
    /// Reads every annotation of one interface; the first wrong form fails.
    pub fn read(entries: &'e [Entry<'e>]) -> Result<Self, RequestError> {
        let mut fields = Self {
            first: entries.first(),
            ..Self::default()
        };
        for entry in entries {
            fields.read_one(entry)?;
        }
        // A dummy needs no device that could be named.
        if let ([], Some(kind)) = (fields.plugs.as_slice(), &fields.kind)
            && kind.value == "dummy"
        {
            let entry = kind.entry;
            fields.plugs.push(read(entry, entry.asked(Plug::Dummy)));
        }
        Ok(fields)
    }

    fn read_one(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        let value = entry.value;
        match entry.field.stem() {
            "bridge" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Bridge),
            "parent" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Parent),
            "link" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Link),
            "ovs" => self.plug(entry, entry.ask(value.parse())?.value, Plug::Ovs),
            "dummy" => self.plug(entry, entry.ask(value.parse::<IfName>())?.value, |_| {
                Plug::Dummy
            }),
            "net" => self.network = Some(entry.ask(value.parse())?),
            "ifname" => self.ifname = Some(read(entry, entry.ask(value.parse())?)),
            "hostif" => self.hostif = Some(read(entry, entry.ask(value.parse())?)),
            "vlan" => self.vlan = Some(read(entry, entry.ask(value.parse())?)),
            "trunk" => self.trunk = Some(read(entry, entry.ask(value.parse())?)),
            "mtu" => self.mtu = Some(read(entry, entry.ask(value.parse())?)),
            "txqlen" => self.txqlen = Some(number(entry)?),
            "metric" => self.metric = Some(read(entry, number(entry)?)),
            "optional" => {
                let asked = boolean(value).ok_or_else(|| entry.mismatch())?;
                self.optional = Some(entry.asked(asked));
            }
            "gw" => self.gw = Some(entry),
            "route" => {
                let routes = entry.ask(Route::parse_list(value))?.value;
                self.routes = routes.into_iter().map(|r| entry.asked(r)).collect();
            }
            "sysctl.ipv4.conf" | "sysctl.ipv6.conf" => {
                let sysctl = entry.ask(Sysctl::parse(entry.rest, value))?;
                self.sysctls.push(read(entry, sysctl));
            }
            other => self.read_compound(entry, other)?,
        }
        Ok(())
    }

    /// The fields whose values have parts, or words of their own.
    fn read_compound(&mut self, entry: &'e Entry<'e>, name: &str) -> Result<(), RequestError> {
        match name {
            "ip" => dynamic::read_ip(self, entry),
            "mac" => self.read_mac(entry),
            "type" => self.read_type(entry),
            "mode" => self.read_mode(entry),
            "default" => self.read_default(entry),
            "announce" => self.read_announce(entry),
            "ovs.iface-id" | "ovs.external-ids" | "ovs.vlan-mode" => self.read_ovs(entry, name),
            "host-access" => {
                let asked = boolean(entry.value).ok_or_else(|| entry.mismatch())?;
                self.host_access = Some(entry.asked(asked));
                Ok(())
            }
            "rule" | "neigh" | "sbr" | "dad" => routing::read(&mut self.routing, entry),
            _ if dynamic::read(self, entry)? => Ok(()),
            _ if self.read_nic(entry, name)? || self.read_traffic(entry, name)? => Ok(()),
            // A field of the table without a reader is not carried out.
            _ => Err(entry.not_supported(entry.field.name)),
        }
    }

    pub(super) fn plug<T>(&mut self, entry: &'e Entry<'e>, device: T, kind: fn(T) -> Plug) {
        self.plugs.push(Read {
            value: kind(device),
            entry,
        });
    }

    /// `[MAC | U:string][@vlan]`: a second `@` and what follows are dropped,
    /// as pipework drops them.
    fn read_mac(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        let mut parts = entry.value.split('@').map(str::trim);
        let mac = parts.next().unwrap_or_default();
        let tag = parts.next().unwrap_or_default();
        self.mac = match mac.strip_prefix("U:") {
            Some("") => return Err(entry.wrong(MacError::EmptyUserString)),
            Some(string) => Some(entry.asked(MacAddr::from_user_string(string))),
            None if mac.is_empty() => None,
            None => Some(entry.ask(mac.parse())?),
        };
        if !tag.is_empty() {
            self.mac_tag = Some(Read { value: tag, entry });
            match tag.parse::<VlanId>() {
                Ok(value) => self.mac_vlan = Some(Read { value, entry }),
                Err(error) => self.mac_no_vlan = Some(entry.wrong(error)),
            }
        }
        Ok(())
    }

    fn read_type(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        let kind = TYPES.iter().find(|kind| **kind == entry.value);
        let value = *kind.ok_or_else(|| entry.mismatch())?;
        self.kind = Some(Read { value, entry });
        Ok(())
    }

    fn read_mode(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        let macvlan = entry.value.parse().map(Mode::Macvlan).ok();
        let value = macvlan.or_else(|| entry.value.parse().map(Mode::Ipvlan).ok());
        let value = value.ok_or_else(|| entry.mismatch())?;
        self.mode = Some(Read { value, entry });
        Ok(())
    }

    fn read_default(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        let (v4, v6) = match (entry.value, boolean(entry.value)) {
            ("v4", _) => (true, false),
            ("v6", _) => (false, true),
            (_, Some(both)) => (both, both),
            (_, None) => return Err(entry.mismatch()),
        };
        self.default = Some(Read {
            value: DefaultRoute { v4, v6 },
            entry,
        });
        Ok(())
    }

    fn read_ovs(&mut self, entry: &'e Entry<'e>, name: &str) -> Result<(), RequestError> {
        entry.check_form()?;
        let text = entry.value.to_owned();
        match name {
            "ovs.iface-id" => self.ovs.iface_id = Some(entry.asked(text)),
            "ovs.vlan-mode" => {
                let mode = VlanMode::of_word(&text).ok_or_else(|| entry.mismatch())?;
                self.ovs.vlan_mode = Some(entry.asked(mode));
                self.vlan_mode = Some(entry);
            }
            _ => {
                let key = entry.ask(external_id(entry.rest))?.value;
                self.ovs.external_ids.push(entry.asked((key, text)));
            }
        }
        self.of_ovs.get_or_insert(entry);
        Ok(())
    }

    fn read_announce(&mut self, entry: &'e Entry<'e>) -> Result<(), RequestError> {
        match within(entry.value, 0, 5).ok_or_else(|| entry.mismatch())? {
            0 => self.announce = Some(entry.asked(Announce::Off)),
            1 => self.announce = Some(entry.asked(Announce::Once)),
            times => self.announce = Some(entry.asked(Announce::Times(times))),
        }
        Ok(())
    }
}

pub(super) fn read<'e, T>(entry: &'e Entry<'e>, asked: Asked<T>) -> Read<'e, T> {
    Read {
        value: asked.value,
        entry,
    }
}

fn number(entry: &Entry<'_>) -> Result<Asked<u32>, RequestError> {
    let number = within(entry.value, 0, u32::MAX).ok_or_else(|| entry.mismatch())?;
    Ok(entry.asked(number))
}
