//! Containers that drop what does not come by the interface which its answer
//! would leave by (`rp_filter` 1, RFC 3704 §2.2): with two interfaces they are
//! deaf on one of them.

use super::finding::{Finding, Severity};
use super::host::Host;
use crate::collect::{Collector, NIC_PATIENCE};
use crate::frontend::known;
use crate::record::Record;
use crate::sys::block_on;
use crate::sys::netns::Netns;
use crate::sys::proc::read_short;
use crate::sys::rtnl::Rtnl;

/// Most containers that are entered.
const MOST: usize = 256;

/// Which interfaces of ours do that, where there is another one.
pub fn check(host: &Host) -> Vec<Finding> {
    let (Some(store), Ok(home), Ok(rtnl)) = (&host.store, Netns::own(), Rtnl::open(host.deadline))
    else {
        return Vec::new();
    };
    let collector = Collector {
        store,
        host: &rtnl,
        home: &home,
        deadline: host.deadline,
        patience: NIC_PATIENCE,
    };
    let mut findings = Vec::new();
    for record in host.records.iter().take(MOST) {
        if host.deadline.has_passed() {
            let cure = "pipework doctor rp-filter, when the host is less busy";
            findings.push(Finding::new(
                Severity::Unseen,
                "further containers",
                "out of time",
                cure,
            ));
            break;
        }
        findings.extend(of(record, &collector));
    }
    findings
}

fn of(record: &Record, collector: &Collector<'_>) -> Vec<Finding> {
    let Some(netns) = collector.open_namespace(record) else {
        return Vec::new();
    };
    let several = Rtnl::open_in(&netns, collector.home, collector.deadline).is_ok_and(|guest| {
        let links = block_on(guest.links());
        let links = links.ok().and_then(Result::ok).unwrap_or_default();
        links
            .iter()
            .filter(|link| !link.is_loopback && link.up)
            .count()
            > 1
    });
    if !several {
        return Vec::new();
    }
    let strict = |name: &str| {
        let of = |name: &str| {
            let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
            read_short(path).ok()?.trim().parse::<u8>().ok()
        };
        // `IN_DEV_RPFILTER`: the larger one counts.
        of("all").max(of(name)) == Some(1)
    };
    let names = record.attachments.iter().map(|a| a.ifname.as_str());
    let names: Vec<&str> = names.collect();
    let strict = netns.inside(collector.home, || {
        names
            .iter()
            .copied()
            .filter(|name| strict(name))
            .collect::<Vec<_>>()
    });
    let told = strict.unwrap_or_default().into_iter().map(|name| {
        let subject = format!("{} {name}", known::called(record));
        let cause = "it drops packets whose answers would leave by another interface (rp_filter 1)";
        let cure = "annotate it with pipework.sbr=true, or pipework.sysctl.ipv4.conf.rp_filter=2";
        Finding::new(Severity::Note, subject, cause, cure)
    });
    told.collect()
}
