//! The container's files when a lease changes: where the former lease's servers,
//! domains and address stand in what we wrote, the new ones take their place.
//!
//! Which files are ours, and where they are, stands in the namespace's record.
//! What somebody edited since, or asked for by value, stays.

use std::net::IpAddr;
use std::time::Duration;

use super::daemon::Daemon;
use crate::deadline::Deadline;
use crate::dhcp::lease::Lease;
use crate::dhcp::v4::Bound;
use crate::dhcp::v6;
use crate::plan::lease::resolver;
use crate::plan::lease6;
use crate::plan::{FileUndo, Follows, Undo};
use crate::record::{Kept, Record, RecordError};
use crate::rt::{ContainerFile, Resolver, revised_hosts, revised_resolver};
use crate::sys::files::{self, FileFault};

/// How long a start or an end in the same namespace is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Why the files do not say what the lease does.
#[derive(Debug, thiserror::Error)]
pub(super) enum NamesError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    File(#[from] FileFault),
}

/// What the files say of a lease.
struct Said {
    resolver: Resolver,
    address: IpAddr,
}

impl Said {
    fn of(lease: &Lease, kept: &Kept) -> Self {
        Self {
            resolver: followed(resolver(lease, &kept.ifname), &kept.follows),
            address: lease.address.addr().into(),
        }
    }

    fn of6(lease: &v6::lease::Lease, kept: &Kept) -> Self {
        let resolver = lease6::resolver(&lease.information, &kept.ifname);
        Self {
            resolver: followed(resolver, &kept.follows),
            address: lease.address.into(),
        }
    }
}

/// What of a lease's names comes into the files.
fn followed(mut resolver: Resolver, follows: &Follows) -> Resolver {
    if follows.servers.is_none() {
        resolver.servers.clear();
    }
    if follows.search.is_none() {
        resolver.search.clear();
    }
    resolver
}

/// What of it stands there because the lease says so, and nobody else.
fn learned(mut resolver: Resolver, follows: &Follows) -> Resolver {
    let Follows { servers, search } = follows;
    let written = servers.iter().flatten();
    let written: Vec<&IpAddr> = written.collect();
    resolver
        .servers
        .retain(|(server, _)| !written.contains(&server));
    let written: Vec<&String> = search.iter().flatten().collect();
    resolver.search.retain(|domain| !written.contains(&domain));
    resolver
}

/// Whether the files may have to say something else.
fn differ(old: &Lease, new: &Lease) -> bool {
    let names = |lease: &Lease| {
        let Lease {
            dns,
            domain,
            search,
            address,
            ..
        } = lease.clone();
        (dns, domain, search, address.addr())
    };
    names(old) != names(new)
}

impl Daemon {
    /// Has the container's files follow, and returns the lease that they speak of
    /// from now on, unless that is `bound`.
    pub(super) fn named_after(&self, kept: &Kept, bound: Option<&Bound>) -> Option<Lease> {
        let kept4 = kept.dhcp4.as_ref()?;
        let former = kept4.bound.as_ref().map(|bound| &bound.lease);
        let named = kept4.named.as_ref().or(former)?;
        let Some(Bound { lease, .. }) = bound else {
            return Some(named.clone());
        };
        if differ(named, lease)
            && !self.follow(kept, &Said::of(named, kept), &Said::of(lease, kept))
        {
            return Some(named.clone());
        }
        None
    }

    /// The same for IPv6.
    pub(super) fn named_after6(
        &self,
        kept: &Kept,
        bound: Option<&v6::Bound>,
    ) -> Option<v6::lease::Lease> {
        let kept6 = kept.dhcp6.as_ref()?;
        let former = kept6.bound.as_ref().map(|bound| &bound.lease);
        let named = kept6.named.as_ref().or(former)?;
        let Some(v6::Bound { lease, .. }) = bound else {
            return Some(named.clone());
        };
        let names = |lease: &v6::lease::Lease| {
            let information = &lease.information;
            (
                information.dns.clone(),
                information.search.clone(),
                lease.address,
            )
        };
        let (old, new) = (Said::of6(named, kept), Said::of6(lease, kept));
        let is_done = names(named) == names(lease) || self.follow(kept, &old, &new);
        (!is_done).then(|| named.clone())
    }

    /// Has the files follow; false when they could not.
    fn follow(&self, kept: &Kept, old: &Said, new: &Said) -> bool {
        let Err(error) = self.rename(kept, old, new) else {
            return true;
        };
        let (container, ifname) = (&kept.identity.name, &kept.ifname);
        tracing::warn!(container, %ifname, %error, "what a server knows of names is not written");
        false
    }

    /// Has the files of a container say what `new` does where they say what
    /// `old` did.
    fn rename(&self, kept: &Kept, old: &Said, new: &Said) -> Result<(), NamesError> {
        let key = &kept.id.namespace;
        let _lock = self.store.lock_namespace(key, Deadline::after(PATIENCE))?;
        let Some(mut record) = self.store.read(key)?.complete else {
            return Ok(());
        };
        for undo in files_of(&record) {
            let Some(text) = files::read(undo.file, &undo.place)? else {
                continue;
            };
            let is_ours = undo.written.as_ref().is_none_or(|written| *written == text);
            let revised = match undo.file {
                ContainerFile::Resolv => {
                    let old = learned(old.resolver.clone(), &kept.follows);
                    revised_resolver(&text, &old, &new.resolver)
                }
                ContainerFile::Hosts => revised_hosts(&text, old.address, new.address),
            };
            let Some(revised) = revised.filter(|_| is_ours) else {
                continue;
            };
            // Killed in between, either text is one to be taken back.
            self.note_written(&mut record, &undo, None)?;
            files::replace(undo.file, &undo.place, Some(&text), &revised)?;
            self.note_written(&mut record, &undo, Some(&revised))?;
        }
        Ok(())
    }

    fn note_written(
        &self,
        record: &mut Record,
        undo: &FileUndo,
        written: Option<&str>,
    ) -> Result<(), RecordError> {
        for attachment in &mut record.attachments {
            for noted in &mut attachment.undo {
                if let Undo::File(noted) = noted
                    && (noted.file, &noted.place) == (undo.file, &undo.place)
                {
                    noted.written = written.map(str::to_owned);
                }
            }
        }
        self.store.rewrite(record)
    }
}

fn files_of(record: &Record) -> Vec<FileUndo> {
    let undos = record.attachments.iter().flat_map(|a| &a.undo);
    let files = undos.filter_map(|undo| {
        let Undo::File(undo) = undo else { return None };
        Some(undo.clone())
    });
    files.collect()
}
