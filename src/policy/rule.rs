//! One `[[rule]]`: what it lists, and whether it speaks of an attachment.
//!
//! An allow rule must cover every need; what it does not list is denied, the
//! plain defaults aside (`Need::is_plain`). A deny rule matches when each
//! criterion that it lists is touched by some need.

use ipnet::IpNet;
use serde::Deserialize;

use super::caller::CallerPattern;
use super::criterion::Criterion;
use super::entry::{Kind, Limit, MacPattern, Mode, Pkeys, Range, Routers, Vlan};
use super::flaw::RuleFlaw;
use super::need::{Ask, Need};
use super::set::Set;
use crate::host::view::{Grant, UplinkPorts};
use crate::request::vlan::VlanRange;
use crate::request::{DhcpProgram, Glob, VlanId};

/// What a rule does with the attachments that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// They may be made.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

/// A rule as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Allow or deny.
    #[serde(default)]
    pub action: Action,
    caller: Option<Set<CallerPattern>>,
    network: Option<Set<Glob>>,
    uplink: Option<Set<Glob>>,
    lower: Option<Set<Glob>>,
    kind: Option<Set<Kind>>,
    mode: Option<Set<Mode>>,
    vlan: Option<Set<Vlan>>,
    ovs: Option<Set<Glob>>,
    create_bridge: Option<bool>,
    cidr: Option<Set<IpNet>>,
    gateway: Option<Set<Routers>>,
    dynamic: Option<Set<Glob>>,
    dhcp: Option<Set<Glob>>,
    dhcp_programs: Option<Set<DhcpProgram>>,
    dns: Option<Set<Glob>>,
    wait: Option<Set<Range>>,
    default_route: Option<bool>,
    mac: Option<Set<MacPattern>>,
    routes: Option<Set<IpNet>>,
    rules: Option<bool>,
    neigh: Option<Set<IpNet>>,
    sbr: Option<bool>,
    dad: Option<Set<Range>>,
    host_access: Option<bool>,
    ifname: Option<Set<Glob>>,
    hostif: Option<Set<Glob>>,
    mtu: Option<Set<Range>>,
    txqlen: Option<Set<Range>>,
    sysctl: Option<Set<Glob>>,
    announce: Option<Set<Range>>,
    metric: Option<Set<Range>>,
    name: Option<Set<Glob>>,
    rate_in: Option<Set<Limit>>,
    rate_out: Option<Set<Limit>>,
    burst: Option<Set<Range>>,
    tc: Option<bool>,
    hairpin: Option<bool>,
    promisc: Option<bool>,
    no_spoofcheck: Option<bool>,
    optional: Option<bool>,
    device_force: Option<bool>,
    vf: Option<Set<Glob>>,
    pkey: Option<Set<Pkeys>>,
    count: Option<u32>,
    vlan_filtering: Option<bool>,
    uplink_ports: Option<Set<Glob>>,
}

/// Whether each VLAN of a range is in some entry.
fn all_in(range: VlanRange, vlans: &Set<Vlan>) -> bool {
    range
        .vlans()
        .all(|vlan| vlans.has(|entry| entry.covers(Some(vlan.get()))))
}

/// Whether what is listed has the wanted entry; `None` when nothing is listed.
fn listed<T>(set: &Option<Set<T>>, test: impl Fn(&T) -> bool) -> Option<bool> {
    set.as_ref().map(|set| set.has(test))
}

impl Rule {
    /// Whether an allow rule grants this need.
    pub fn covers(&self, need: &Need) -> bool {
        self.lists(need).unwrap_or_else(|| need.is_plain())
    }

    /// Whether it matters to the rule which service account a pod has.
    pub fn names_accounts(&self) -> bool {
        let mut callers = self.caller.iter().flat_map(Set::entries);
        callers.any(CallerPattern::is_account)
    }

    /// Whether an allow rule grants what is asked: by its list, or by that of
    /// networks for what a network says itself.
    pub fn grants(&self, ask: &Ask) -> bool {
        ask.is_of_network() || self.covers(&ask.need)
    }

    /// Whether a deny rule matches an attachment with these needs.
    pub fn denies(&self, asks: &[Ask]) -> bool {
        self.criteria()
            .into_iter()
            .filter(|(_, stated)| *stated != Stated::Nothing)
            .all(|(criterion, _)| asks.iter().any(|ask| self.touches(criterion, &ask.need)))
    }

    /// Whether what the rule lists for the need's criterion has it; `None`
    /// when the rule lists nothing there.
    fn lists(&self, need: &Need) -> Option<bool> {
        match need {
            Need::Caller(caller) => listed(&self.caller, |e| e.covers(caller)),
            Need::Network(name) => listed(&self.network, |e| e.covers(name)),
            Need::Uplink(name) => listed(&self.uplink, |e| e.covers(name)),
            Need::Lower(name) => {
                // A rule that grants eth0 grants it below a VLAN device too.
                let by_uplink = listed(&self.uplink, |e| e.covers(name));
                let by_lower = listed(&self.lower, |e| e.covers(name));
                by_uplink.filter(|covered| *covered).or(by_lower)
            }
            Need::Kind(kind) => listed(&self.kind, |e| e == kind),
            Need::Mode(mode) => listed(&self.mode, |e| e == mode),
            Need::Vlan(tag) => listed(&self.vlan, |e| e.covers(*tag)),
            Need::VlanDevice(name) => listed(&self.uplink, |e| e.covers(name)).filter(|yes| *yes),
            Need::Trunk(range) => self.vlan.as_ref().map(|vlans| all_in(*range, vlans)),
            Need::Ovs(row) => listed(&self.ovs, |e| e.covers(row)),
            Need::CreateBridge => self.create_bridge,
            Need::Address(address) => listed(&self.cidr, |e| e.contains(address)),
            Need::Gateway(gateway) => listed(&self.gateway, |e| e.0.contains(gateway)),
            Need::Unaddressed => self.lists_unaddressed(),
            Need::Dynamic(word) => listed(&self.dynamic, |e| e.covers(word)),
            Need::Dhcp(said) => listed(&self.dhcp, |e| e.covers(said)),
            Need::DhcpProgram(program) => listed(&self.dhcp_programs, |e| e == program),
            Need::Dns(said) => listed(&self.dns, |e| e.covers(said)),
            Need::Wait(seconds) => listed(&self.wait, |e| e.covers(*seconds)),
            Need::DefaultRoute => self.default_route,
            Need::Mac(mac) => listed(&self.mac, |e| e.covers(mac.as_ref())),
            Need::Route(net) => listed(&self.routes, |e| e.contains(net)),
            Need::Rules => self.rules,
            Need::Neighbour(address) => listed(&self.neigh, |e| e.contains(address)),
            Need::SourceBased => self.sbr,
            Need::Dad(ms) => listed(&self.dad, |e| e.covers(*ms)),
            Need::HostAccess => self.host_access,
            Need::Ifname { name, written: _ } => listed(&self.ifname, |e| e.covers(name)),
            Need::Hostif(name) => listed(&self.hostif, |e| e.covers(name)),
            Need::Mtu(mtu) => listed(&self.mtu, |e| e.covers(*mtu)),
            Need::Txqlen(length) => listed(&self.txqlen, |e| e.covers(*length)),
            Need::Sysctl(leaf) => listed(&self.sysctl, |e| e.covers(leaf)),
            Need::Announce(times) => listed(&self.announce, |e| e.covers(*times)),
            Need::Metric(metric) => listed(&self.metric, |e| e.covers(*metric)),
            Need::Name(name) => listed(&self.name, |e| e.covers(name)),
            Need::RateIn(rate) => listed(&self.rate_in, |e| e.covers(*rate)),
            Need::RateOut(rate) => listed(&self.rate_out, |e| e.covers(*rate)),
            Need::Burst(bytes) => listed(&self.burst, |e| e.covers(*bytes)),
            Need::TrafficControl => self.tc,
            Need::Hairpin => self.hairpin,
            Need::Promisc => self.promisc,
            Need::NoSpoofcheck => self.no_spoofcheck,
            Need::Optional => self.optional,
            Need::DeviceForce => self.device_force,
            Need::Vf(field) => listed(&self.vf, |e| e.covers(field)),
            Need::Pkey(pkey) => listed(&self.pkey, |e| e.covers(*pkey)),
            Need::Count(count) => self.count.map(|limit| *count <= limit),
        }
    }

    /// A container without an address of ours may send from any, so that a rule for
    /// some addresses is none for it.
    fn lists_unaddressed(&self) -> Option<bool> {
        let ways = self.dynamic.as_ref().map_or(&[][..], Set::entries);
        match (ways.iter().any(|way| way.covers("none")), &self.cidr) {
            (true, _) => Some(true),
            (false, Some(Set::Of(_))) => Some(false),
            (false, Some(Set::Any) | None) => None,
        }
    }

    /// Whether a need falls under what a deny rule lists for one criterion.
    fn touches(&self, criterion: Criterion, need: &Need) -> bool {
        match (criterion, need) {
            (Criterion::Caller, Need::Caller(caller)) => {
                listed(&self.caller, |e| e.may_cover(caller)) == Some(true)
            }
            // A ban on eth0 must not be evaded by way of eth0.100.
            (Criterion::Uplink, Need::Lower(name)) => {
                listed(&self.uplink, |e| e.covers(name)) == Some(true)
            }
            (Criterion::Lower, Need::Lower(name)) => {
                listed(&self.lower, |e| e.covers(name)) == Some(true)
            }
            // A ban on eth0.100 bans the VLAN 100 that is asked of eth0.
            (Criterion::Uplink, Need::VlanDevice(name)) => {
                listed(&self.uplink, |e| e.covers(name)) == Some(true)
            }
            (Criterion::Lower, Need::VlanDevice(name)) => {
                listed(&self.lower, |e| e.covers(name)) == Some(true)
            }
            // A ban on one VLAN bans a trunk that carries it among others.
            (Criterion::Vlan, Need::Trunk(range)) => {
                let is_banned = |vlan: VlanId| listed(&self.vlan, |e| e.covers(Some(vlan.get())));
                range.vlans().any(|vlan| is_banned(vlan) == Some(true))
            }
            // A ban on 10.0.0.0/8 bans a route to all of 0.0.0.0/0 as well.
            (Criterion::Routes, Need::Route(net)) => {
                listed(&self.routes, |e| e.contains(net) || net.contains(e)) == Some(true)
            }
            (criterion, need) => need.criterion() == criterion && self.lists(need) == Some(true),
        }
    }

    /// What an attachment that the rule allows may do to the host.
    pub fn grant(&self) -> Grant {
        Grant {
            vlan_filtering: self.vlan_filtering == Some(true),
            uplink_ports: match &self.uplink_ports {
                None | Some(Set::Any) => UplinkPorts::Physical,
                Some(Set::Of(names)) => UplinkPorts::Named(names.clone()),
            },
        }
    }

    /// What is wrong with the rule in itself.
    pub fn flaw(&self) -> Option<RuleFlaw> {
        if self.uplink_ports == Some(Set::Any) {
            return Some(RuleFlaw::AnyUplinkPort);
        }
        if self.action == Action::Allow && self.dhcp_programs == Some(Set::Any) {
            return Some(RuleFlaw::AnyProgram);
        }
        match self.action {
            Action::Allow => [
                (Criterion::Caller, self.caller.is_none()),
                (
                    Criterion::Uplink,
                    self.uplink.is_none() && self.network.is_none(),
                ),
            ]
            .into_iter()
            .find(|(_, missing)| *missing)
            .map(|(criterion, _)| RuleFlaw::Unlimited(criterion)),
            Action::Deny if self.count.is_some() => Some(RuleFlaw::CountInDeny),
            Action::Deny if self.vlan_filtering.is_some() => {
                Some(RuleFlaw::GrantInDeny("vlan-filtering"))
            }
            Action::Deny if self.uplink_ports.is_some() => {
                Some(RuleFlaw::GrantInDeny("uplink-ports"))
            }
            Action::Deny => self
                .criteria()
                .into_iter()
                .find(|(_, stated)| *stated == Stated::Never)
                .map(|(criterion, _)| RuleFlaw::NeverMatches(criterion)),
        }
    }

    /// Every criterion, and what the rule says of it.
    #[expect(clippy::too_many_lines, reason = "a table: one line per criterion")]
    fn criteria(&self) -> [(Criterion, Stated); 44] {
        let Self {
            action: _,
            caller,
            network,
            uplink,
            lower,
            kind,
            mode,
            vlan,
            ovs,
            create_bridge,
            cidr,
            gateway,
            dynamic,
            dhcp,
            dhcp_programs,
            dns,
            wait,
            default_route,
            mac,
            routes,
            rules,
            neigh,
            sbr,
            dad,
            host_access,
            ifname,
            hostif,
            mtu,
            txqlen,
            sysctl,
            announce,
            metric,
            name,
            rate_in,
            rate_out,
            burst,
            tc,
            hairpin,
            promisc,
            no_spoofcheck,
            optional,
            device_force,
            vf,
            pkey,
            count,
            // Granted, and not asked for.
            vlan_filtering: _,
            uplink_ports: _,
        } = self;
        [
            (Criterion::Caller, stated(caller)),
            (Criterion::Network, stated(network)),
            (Criterion::Uplink, stated(uplink)),
            (Criterion::Lower, stated(lower)),
            (Criterion::Kind, stated(kind)),
            (Criterion::Mode, stated(mode)),
            (Criterion::Vlan, stated(vlan)),
            (Criterion::Ovs, stated(ovs)),
            (Criterion::CreateBridge, switched(*create_bridge)),
            (Criterion::Cidr, stated(cidr)),
            (Criterion::Gateway, stated(gateway)),
            (Criterion::Dynamic, stated(dynamic)),
            (Criterion::Dhcp, stated(dhcp)),
            (Criterion::DhcpPrograms, stated(dhcp_programs)),
            (Criterion::Dns, stated(dns)),
            (Criterion::Wait, stated(wait)),
            (Criterion::DefaultRoute, switched(*default_route)),
            (Criterion::Mac, stated(mac)),
            (Criterion::Routes, stated(routes)),
            (Criterion::Rules, switched(*rules)),
            (Criterion::Neigh, stated(neigh)),
            (Criterion::Sbr, switched(*sbr)),
            (Criterion::Dad, stated(dad)),
            (Criterion::HostAccess, switched(*host_access)),
            (Criterion::Ifname, stated(ifname)),
            (Criterion::Hostif, stated(hostif)),
            (Criterion::Mtu, stated(mtu)),
            (Criterion::Txqlen, stated(txqlen)),
            (Criterion::Sysctl, stated(sysctl)),
            (Criterion::Announce, stated(announce)),
            (Criterion::Metric, stated(metric)),
            (Criterion::Name, stated(name)),
            (Criterion::RateIn, stated(rate_in)),
            (Criterion::RateOut, stated(rate_out)),
            (Criterion::Burst, stated(burst)),
            (Criterion::TrafficControl, switched(*tc)),
            (Criterion::Hairpin, switched(*hairpin)),
            (Criterion::Promisc, switched(*promisc)),
            (Criterion::NoSpoofcheck, switched(*no_spoofcheck)),
            (Criterion::Optional, switched(*optional)),
            (Criterion::DeviceForce, switched(*device_force)),
            (Criterion::Vf, stated(vf)),
            (Criterion::Pkey, stated(pkey)),
            (Criterion::Count, switched(count.map(|limit| limit > 0))),
        ]
    }
}

/// How much a rule says of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    /// It does not list it.
    Nothing,
    /// It lists it, and nothing can be in the list.
    Never,
    /// It lists something.
    Something,
}

fn stated<T>(set: &Option<Set<T>>) -> Stated {
    match set {
        None => Stated::Nothing,
        Some(Set::Of(entries)) if entries.is_empty() => Stated::Never,
        Some(Set::Of(_) | Set::Any) => Stated::Something,
    }
}

fn switched(switch: Option<bool>) -> Stated {
    match switch {
        None => Stated::Nothing,
        Some(false) => Stated::Never,
        Some(true) => Stated::Something,
    }
}
