//! The container's files when a lease changes: where the former lease's servers,
//! domains and address stand in what we wrote, the new ones take their place. While
//! there is no lease, its servers and domains are not there; the container's own
//! name keeps its address, of which nobody else is asked.
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
use crate::rt::{ContainerFile, Ended, Resolver, revised_hosts, revised_resolver};
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

/// What becomes of a lease in the files.
#[derive(Clone, Copy)]
enum Turn<'a> {
    /// It has changed.
    Changes(&'a Said),
    /// It has ended, and there is none.
    Ends,
    /// It had ended, or could not be written, and there is another.
    Begins(&'a Said),
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

fn differ6(old: &v6::lease::Lease, new: &v6::lease::Lease) -> bool {
    let names = |lease: &v6::lease::Lease| {
        let information = &lease.information;
        (
            information.dns.clone(),
            information.search.clone(),
            lease.address,
        )
    };
    names(old) != names(new)
}

/// A renewed lease with the names that it leaves out, which stay in the files until
/// it ends.
fn inherit(lease: &Lease, named: &Lease) -> Lease {
    let mut lease = lease.clone();
    if lease.dns.is_empty() {
        lease.dns.clone_from(&named.dns);
    }
    if lease.search.is_empty() && lease.domain.is_none() {
        lease.search.clone_from(&named.search);
        lease.domain.clone_from(&named.domain);
    }
    lease
}

/// The same of IPv6.
fn inherit6(lease: &v6::lease::Lease, named: &v6::lease::Lease) -> v6::lease::Lease {
    let mut lease = lease.clone();
    let (own, former) = (&mut lease.information, &named.information);
    if own.dns.is_empty() {
        own.dns.clone_from(&former.dns);
    }
    if own.search.is_empty() {
        own.search.clone_from(&former.search);
    }
    lease
}

impl Daemon {
    /// Has the container's files follow, and returns the lease that they speak of
    /// from now on, unless that is `bound`.
    pub(super) fn named_after(&self, kept: &Kept, bound: Option<&Bound>) -> Option<Lease> {
        let kept4 = kept.dhcp4.as_ref()?;
        let former = kept4.bound.as_ref().map(|bound| &bound.lease);
        let named = kept4.named.as_ref().or(former)?;
        let old = Said::of(named, kept);
        let Some(Bound { lease, .. }) = bound else {
            self.follow(kept, &old, Turn::Ends);
            return Some(named.clone());
        };
        // Not from one that ended before this one began.
        let says = match former {
            Some(former) if former.address == named.address => inherit(lease, named),
            Some(_) | None => lease.clone(),
        };
        let new = Said::of(&says, kept);
        let is_done = match &kept4.named {
            Some(_) => self.follow(kept, &old, Turn::Begins(&new)),
            None => !differ(named, &says) || self.follow(kept, &old, Turn::Changes(&new)),
        };
        match is_done {
            true => differ(&says, lease).then_some(says),
            false => Some(named.clone()),
        }
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
        let old = Said::of6(named, kept);
        let Some(v6::Bound { lease, .. }) = bound else {
            self.follow(kept, &old, Turn::Ends);
            return Some(named.clone());
        };
        let says = match former {
            Some(former) if former.address == named.address => inherit6(lease, named),
            Some(_) | None => lease.clone(),
        };
        let new = Said::of6(&says, kept);
        let is_done = match &kept6.named {
            Some(_) => self.follow(kept, &old, Turn::Begins(&new)),
            None => !differ6(named, &says) || self.follow(kept, &old, Turn::Changes(&new)),
        };
        match is_done {
            true => differ6(&says, lease).then_some(says),
            false => Some(named.clone()),
        }
    }

    /// Has the files follow; false when they could not.
    fn follow(&self, kept: &Kept, old: &Said, turn: Turn<'_>) -> bool {
        let Err(error) = self.rename(kept, old, turn) else {
            return true;
        };
        let (container, ifname) = (&kept.identity.name, &kept.ifname);
        tracing::warn!(container, %ifname, %error, "what a server knows of names is not written");
        false
    }

    /// Has the files of a container say what the lease does by now where they say
    /// what it did before.
    fn rename(&self, kept: &Kept, old: &Said, turn: Turn<'_>) -> Result<(), NamesError> {
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
                ContainerFile::Resolv => self.resolver_after(kept, (&text, &undo), old, turn),
                ContainerFile::Hosts => match turn {
                    Turn::Changes(new) | Turn::Begins(new) => {
                        revised_hosts(&text, old.address, new.address)
                    }
                    Turn::Ends => None,
                },
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

    /// What a resolv.conf of ours says then; `None` where it says the same.
    fn resolver_after(
        &self,
        kept: &Kept,
        (text, undo): (&str, &FileUndo),
        old: &Said,
        turn: Turn<'_>,
    ) -> Option<String> {
        let is_v4 = old.address.is_ipv4();
        let old = learned(old.resolver.clone(), &kept.follows);
        let nothing = Resolver::default();
        let new = match turn {
            Turn::Changes(new) => return revised_resolver(text, &old, &new.resolver),
            Turn::Ends => &nothing,
            Turn::Begins(new) => &new.resolver,
        };
        let ended = Ended {
            old: &old,
            others: &self.others_say(kept, is_v4),
            former: undo.former.as_deref(),
        };
        ended.revise(text, new)
    }

    /// What is in the files of a container besides one lease: what somebody wrote,
    /// and what others of its leases say that hold.
    fn others_say(&self, kept: &Kept, is_v4: bool) -> Resolver {
        let Follows { servers, search } = &kept.follows;
        let servers = servers.iter().flatten();
        let mut all = Resolver {
            servers: servers.map(|s| (*s, kept.ifname.clone())).collect(),
            search: search.iter().flatten().cloned().collect(),
        };
        let others = self.leases.values().map(|held| &held.kept);
        let is_other = |other: &&Kept| {
            other.id.namespace == kept.id.namespace && other.id.ifindex != kept.id.ifindex
        };
        for other in others.filter(is_other) {
            all.add(said4(other));
            all.add(said6(other));
        }
        // And the same interface's of the other family.
        all.add(if is_v4 { said6(kept) } else { said4(kept) });
        all
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

/// What the files say for a lease that holds.
fn said4(kept: &Kept) -> Resolver {
    let said = kept.dhcp4.as_ref().and_then(|kept4| {
        let bound = kept4.bound.as_ref()?;
        Some(kept4.named.as_ref().unwrap_or(&bound.lease))
    });
    said.map_or_else(Resolver::default, |lease| Said::of(lease, kept).resolver)
}

/// The same of IPv6.
fn said6(kept: &Kept) -> Resolver {
    let said = kept.dhcp6.as_ref().and_then(|kept6| {
        let bound = kept6.bound.as_ref()?;
        Some(kept6.named.as_ref().unwrap_or(&bound.lease))
    });
    said.map_or_else(Resolver::default, |lease| Said::of6(lease, kept).resolver)
}

fn files_of(record: &Record) -> Vec<FileUndo> {
    let undos = record.attachments.iter().flat_map(|a| &a.undo);
    let files = undos.filter_map(|undo| {
        let Undo::File(undo) = undo else { return None };
        Some(undo.clone())
    });
    files.collect()
}
