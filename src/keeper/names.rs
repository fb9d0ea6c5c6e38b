//! The container's files when a lease changes: where the former lease's servers,
//! domains and address stand in what we wrote, the new ones take their place. While
//! there is no lease, its servers and domains are not there; the container's own
//! name keeps its address, of which nobody else is asked.
//!
//! Which files are ours, and where they are, stands in the namespace's record.
//! What somebody edited since, or asked for by value, stays.

use std::time::Duration;

use super::daemon::Daemon;
use super::held::Held;
use super::said::{Said, differ, differ6, inherit, inherit6, learned, said4, said6};
use crate::deadline::Deadline;
use crate::dhcp::lease::Lease;
use crate::dhcp::v4::{Bound, Now};
use crate::dhcp::v6;
use crate::plan::{FileUndo, Follows, Undo};
use crate::record::{Kept, Record, RecordError, Unsaid};
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

/// What the files speak of once they have followed a lease as far as they could.
pub(super) struct Named<L> {
    /// The lease, unless it is the one that is held.
    pub(super) lease: Option<L>,
    /// What they do not say yet.
    pub(super) unsaid: Option<Unsaid>,
}

impl<L> Named<L> {
    const NOTHING: Self = Self {
        lease: None,
        unsaid: None,
    };

    /// They speak of another lease than the one that is held.
    fn of(lease: L, unsaid: Option<Unsaid>) -> Self {
        Self {
            lease: Some(lease),
            unsaid,
        }
    }

    /// Whether all of it is written.
    pub(super) fn said(&self) -> Result<(), Unsaid> {
        self.unsaid.map_or(Ok(()), Err)
    }
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

/// Whether the lease of which the files speak goes on in the one that comes:
/// otherwise it had ended before.
fn goes_on(unsaid: Option<Unsaid>, is_former: bool) -> bool {
    match unsaid {
        Some(Unsaid::Change) => true,
        Some(Unsaid::End) => false,
        None => is_former,
    }
}

impl Held {
    /// When the container's files are to say what they could not.
    pub(super) fn names_at(&self) -> Option<Now> {
        let unsaid4 = self.kept.dhcp4.as_ref().and_then(|kept| kept.unsaid);
        let unsaid6 = self.kept.dhcp6.as_ref().and_then(|kept| kept.unsaid);
        unsaid4.or(unsaid6).map(|_| self.names.at())
    }
}

impl Daemon {
    /// Has the container's files follow, and returns what they speak of from now on
    /// where `bound` is the lease that is held.
    pub(super) fn named_after(&self, kept: &Kept, bound: Option<&Bound>) -> Named<Lease> {
        let Some(kept4) = &kept.dhcp4 else {
            return Named::NOTHING;
        };
        let former = kept4.bound.as_ref().map(|bound| &bound.lease);
        let Some(named) = kept4.named.as_ref().or(former) else {
            return Named::NOTHING;
        };
        let old = Said::of(named, kept);
        let Some(Bound { lease, .. }) = bound else {
            let is_done = self.follow(kept, &old, Turn::Ends);
            return Named::of(named.clone(), (!is_done).then_some(Unsaid::End));
        };
        let is_former = former.is_some_and(|former| former.address == named.address);
        let goes_on = goes_on(kept4.unsaid, is_former);
        // Not from one that ended before this one began.
        let says = match goes_on {
            true => inherit(lease, named),
            false => lease.clone(),
        };
        let new = Said::of(&says, kept);
        let is_done = match &kept4.named {
            Some(_) => self.follow(kept, &old, Turn::Begins(&new)),
            None => !differ(named, &says) || self.follow(kept, &old, Turn::Changes(&new)),
        };
        match is_done {
            true if differ(&says, lease) => Named::of(says, None),
            true => Named::NOTHING,
            false if goes_on => Named::of(named.clone(), Some(Unsaid::Change)),
            false => Named::of(named.clone(), Some(Unsaid::End)),
        }
    }

    /// The same for IPv6.
    pub(super) fn named_after6(
        &self,
        kept: &Kept,
        bound: Option<&v6::Bound>,
    ) -> Named<v6::lease::Lease> {
        let Some(kept6) = &kept.dhcp6 else {
            return Named::NOTHING;
        };
        let former = kept6.bound.as_ref().map(|bound| &bound.lease);
        let Some(named) = kept6.named.as_ref().or(former) else {
            return Named::NOTHING;
        };
        let old = Said::of6(named, kept);
        let Some(v6::Bound { lease, .. }) = bound else {
            let is_done = self.follow(kept, &old, Turn::Ends);
            return Named::of(named.clone(), (!is_done).then_some(Unsaid::End));
        };
        let is_former = former.is_some_and(|former| former.address == named.address);
        let goes_on = goes_on(kept6.unsaid, is_former);
        let says = match goes_on {
            true => inherit6(lease, named),
            false => lease.clone(),
        };
        let new = Said::of6(&says, kept);
        let is_done = match &kept6.named {
            Some(_) => self.follow(kept, &old, Turn::Begins(&new)),
            None => !differ6(named, &says) || self.follow(kept, &old, Turn::Changes(&new)),
        };
        match is_done {
            true if differ6(&says, lease) => Named::of(says, None),
            true => Named::NOTHING,
            false if goes_on => Named::of(named.clone(), Some(Unsaid::Change)),
            false => Named::of(named.clone(), Some(Unsaid::End)),
        }
    }

    /// Has the files of a container say what they could not.
    ///
    /// Changes what is noted in `held`, which is not written down here.
    pub(super) fn say_again(&self, held: &mut Held, now: Now) {
        let mut said = Ok(());
        if let Some(kept4) = &held.kept.dhcp4
            && kept4.unsaid.is_some()
        {
            let named = self.named_after(&held.kept, kept4.bound.as_ref());
            said = said.and(named.said());
            if let Some(kept4) = &mut held.kept.dhcp4 {
                (kept4.named, kept4.unsaid) = (named.lease, named.unsaid);
            }
        }
        if let Some(kept6) = &held.kept.dhcp6
            && kept6.unsaid.is_some()
        {
            let named = self.named_after6(&held.kept, kept6.bound.as_ref());
            said = said.and(named.said());
            if let Some(kept6) = &mut held.kept.dhcp6 {
                (kept6.named, kept6.unsaid) = (named.lease, named.unsaid);
            }
        }
        held.names = held.names.after(&said, now);
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

fn files_of(record: &Record) -> Vec<FileUndo> {
    let undos = record.attachments.iter().flat_map(|a| &a.undo);
    let files = undos.filter_map(|undo| {
        let Undo::File(undo) = undo else { return None };
        Some(undo.clone())
    });
    files.collect()
}
