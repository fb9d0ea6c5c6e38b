//! Steps that write /etc/resolv.conf and /etc/hosts: what all interfaces know
//! of names together, because a container has one resolver.
//!
//! What somebody asked for is written or refused. What nobody asked for is
//! written only where it takes nothing from anybody: ours is the container's only
//! interface, and the file is its own.

mod words;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Plan, PlanError, PlannedStep, Step};
use crate::host::view::{FileView, FilesView};
use crate::plan::step::FileStep;
use crate::request::{Asked, Attachment, Dns, Hosts, IfName, Origin};
use crate::rt::{ContainerFile, Resolver, hosts_text};

pub use words::files_in_words;

/// What was learned from the network for one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The interface.
    pub ifname: IfName,
    /// Name servers and search domains.
    pub resolver: Resolver,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// What of one lease stands in resolv.conf, and changes when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// Its name servers do, but for these, which somebody wrote; `None`: none
    /// of them.
    pub servers: Option<Vec<IpAddr>>,
    /// The same of its search domains.
    pub search: Option<Vec<String>>,
}

impl Default for Follows {
    /// What stands there was all learned.
    fn default() -> Self {
        Self {
            servers: Some(Vec::new()),
            search: Some(Vec::new()),
        }
    }
}

/// What of the lease of `ifname` is written where the files are as in `view`,
/// and what of it stays because it was asked for by value. Without a view
/// nothing is written.
pub fn follows(attachments: &[Attachment], ifname: &IfName, view: Option<&FilesView>) -> Follows {
    let nothing = Follows {
        servers: None,
        search: None,
    };
    let mut all = attachments.iter();
    let own = all.find(|attachment| attachment.ifname.value == *ifname);
    let (Some(own), Some(view)) = (own, view) else {
        return nothing;
    };
    let is_used = match own.dns.servers.as_ref().map(|asked| &asked.value) {
        Some(Dns::Keep | Dns::Servers(_)) => false,
        Some(Dns::Lease) => true,
        Some(Dns::Auto) | None => is_unasked_fine(view),
    };
    if !is_used {
        return nothing;
    }
    let servers = attachments.iter().filter_map(|attachment| {
        let servers = attachment.dns.servers.as_ref()?;
        match &servers.value {
            Dns::Servers(servers) => Some(servers.clone()),
            Dns::Auto | Dns::Lease | Dns::Keep => None,
        }
    });
    let search = attachments.iter().filter_map(|a| a.dns.search.as_ref());
    let search = search.flat_map(|asked| asked.value.clone());
    Follows {
        servers: Some(servers.flatten().collect()),
        search: own.dns.search.is_none().then(|| search.collect()),
    }
}

/// Whether the files matter to `attachments` before anything is learned: only
/// where nothing is.
pub fn knows_names(attachments: &[Attachment]) -> bool {
    let mut all = attachments.iter();
    !attachments.is_empty() && all.all(|attachment| attachment.addressing.dynamic.is_empty())
}

/// Where name servers or search domains were asked for by value.
pub fn asks_for_names(attachment: &Attachment) -> Option<&Origin> {
    let dns = &attachment.dns;
    let servers = dns.servers.as_ref().filter(|asked| match asked.value {
        Dns::Servers(_) | Dns::Lease => true,
        Dns::Auto | Dns::Keep => false,
    });
    let servers = servers.map(|asked| &asked.origin);
    servers.or(dns.search.as_ref().map(|asked| &asked.origin))
}

/// The steps for both files, each tied to the interface that it speaks of, by
/// that one's place in `interfaces`.
///
/// Fails where something was asked for and the file may not be written.
pub fn files(
    attachments: &[Attachment],
    interfaces: &[IfName],
    view: &FilesView,
    learned: &[Learned],
) -> Result<(Vec<PlannedStep>, Vec<String>), PlanError> {
    let mut steps = Vec::new();
    let mut notices = Vec::new();
    if let Some((resolver, asked)) = resolver(attachments, view, learned) {
        let interface = asked.or_else(|| attachments.first());
        let origin = asked.and_then(asks_for_names);
        match (&view.resolv, origin) {
            (FileView::Writable { place, text }, _) => steps.push(PlannedStep {
                interface: interface.and_then(|a| place_of(a, interfaces)),
                step: Step::File(FileStep {
                    file: ContainerFile::Resolv,
                    place: place.clone(),
                    former: text.clone(),
                    text: resolver.text(text.as_deref()),
                }),
                origin: origin.cloned().unwrap_or(Origin::Default),
            }),
            (FileView::LeftAlone { reason }, Some(origin)) => {
                return Err(PlanError::FileLeftAlone {
                    file: ContainerFile::Resolv,
                    reason: reason.clone(),
                    origin: origin.clone(),
                });
            }
            (FileView::LeftAlone { reason }, None) => notices.push(format!(
                "{} is left as it is: {reason}",
                ContainerFile::Resolv
            )),
        }
    }
    steps.extend(hosts(attachments, interfaces, view, learned));
    Ok((steps, notices))
}

fn place_of(attachment: &Attachment, interfaces: &[IfName]) -> Option<usize> {
    let mut all = interfaces.iter();
    all.position(|ifname| *ifname == attachment.ifname.value)
}

/// What all interfaces say together, and the first that was told to say
/// something.
fn resolver<'a>(
    attachments: &'a [Attachment],
    view: &FilesView,
    learned: &[Learned],
) -> Option<(Resolver, Option<&'a Attachment>)> {
    let is_unasked_fine = is_unasked_fine(view);
    let mut all = Resolver::default();
    for attachment in attachments {
        let ifname = &attachment.ifname.value;
        let of_lease = learned.iter().find(|learned| learned.ifname == *ifname);
        let mut own = match attachment.dns.servers.as_ref().map(|asked| &asked.value) {
            Some(Dns::Keep) => Resolver::default(),
            Some(Dns::Servers(servers)) => Resolver {
                servers: servers.iter().map(|s| (*s, ifname.clone())).collect(),
                search: Vec::new(),
            },
            Some(Dns::Lease) => of_lease.map(|l| l.resolver.clone()).unwrap_or_default(),
            Some(Dns::Auto) | None => of_lease
                .filter(|_| is_unasked_fine)
                .map(|learned| learned.resolver.clone())
                .unwrap_or_default(),
        };
        if let Some(Asked { value, .. }) = &attachment.dns.search {
            own.search = value.clone();
        }
        all.add(own);
    }
    let asked = attachments.iter().find(|a| asks_for_names(a).is_some());
    (!all.is_empty()).then_some((all, asked))
}

fn is_unasked_fine(view: &FilesView) -> bool {
    view.is_alone && may_be_unasked(ContainerFile::Resolv, view)
}

/// A file that cannot be written at all is spoken of, one that is not the
/// container's own is passed over in silence.
fn may_be_unasked(file: ContainerFile, view: &FilesView) -> bool {
    match view.of(file) {
        FileView::Writable { .. } => view.is_its_own(file),
        FileView::LeftAlone { .. } => true,
    }
}

/// The container's own name, by which it is found at its first address.
fn hosts(
    attachments: &[Attachment],
    interfaces: &[IfName],
    view: &FilesView,
    learned: &[Learned],
) -> Option<PlannedStep> {
    let is_kept = |attachment: &Attachment| {
        let hosts = attachment.dns.hosts.as_ref();
        hosts.is_some_and(|asked| asked.value == Hosts::Keep)
    };
    if !view.is_alone || !view.is_its_own(ContainerFile::Hosts) || attachments.iter().any(is_kept) {
        return None;
    }
    let FileView::Writable { place, text } = &view.hosts else {
        return None;
    };
    // Podman makes the file first and writes it behind us.
    text.as_deref().filter(|text| !text.trim().is_empty())?;
    let attachment = attachments.first()?;
    let given = attachment.addressing.addresses.iter();
    let given = given.map(|asked| asked.value.addr());
    let of_lease = learned
        .iter()
        .filter(|l| l.ifname == attachment.ifname.value);
    let mut addresses = given.chain(of_lease.flat_map(|l| l.addresses.iter().copied()));
    let address = addresses.next()?;
    let name = view.hostname.as_deref()?;
    let written = hosts_text(address, &[name], text.as_deref())?;
    Some(PlannedStep {
        interface: place_of(attachment, interfaces),
        step: Step::File(FileStep {
            file: ContainerFile::Hosts,
            place: place.clone(),
            former: text.clone(),
            text: written,
        }),
        origin: Origin::Default,
    })
}

impl Plan {
    /// Adds the steps for the files, where nothing has to be learned first.
    ///
    /// Fails as [`files`] does.
    pub fn write_files(
        &mut self,
        attachments: &[Attachment],
        view: &FilesView,
    ) -> Result<(), PlanError> {
        let interfaces: Vec<IfName> = self.interfaces.iter().map(|i| i.ifname.clone()).collect();
        let is_planned = |a: &&Attachment| interfaces.contains(&a.ifname.value);
        let planned: Vec<Attachment> = attachments.iter().filter(is_planned).cloned().collect();
        let (steps, notices) = files(&planned, &interfaces, view, &[])?;
        self.steps.extend(steps);
        self.notices.extend(notices);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
