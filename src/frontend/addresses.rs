//! The addresses that an interface has now, for whoever tells of it: a record knows
//! those that it was given at its start, and not what servers and routers gave it
//! since. Of what they give, its namespace is asked; what was written is not held
//! against anything, which `check` does.

use std::cell::OnceCell;
use std::time::Duration;

use ipnet::IpNet;

use crate::deadline::Deadline;
use crate::record::{AttachmentRecord, Kept, Record, Store};
use crate::reference::{Keeper, LeaseId};
use crate::sys::block_on;
use crate::sys::netns::Netns;
use crate::sys::proc;
use crate::sys::rtnl::Rtnl;

/// For all that are asked together; a question takes less than a millisecond.
const TIME: Duration = Duration::from_secs(5);

/// A look at the addresses of any number of interfaces.
pub(super) struct Look {
    /// `None` where this process may not even look at its own.
    home: Option<Netns>,
    boot_id: String,
    deadline: Deadline,
}

impl Look {
    /// Begins now; what cannot be asked in time is told as it was last known.
    pub(super) fn begin() -> Self {
        Self {
            home: Netns::own().ok(),
            boot_id: proc::boot_id().unwrap_or_default(),
            deadline: Deadline::after(TIME),
        }
    }

    /// The same in the namespace of one record.
    pub(super) fn inside<'a>(&'a self, record: &'a Record) -> Inside<'a> {
        Inside {
            look: self,
            record,
            rtnl: OnceCell::new(),
        }
    }

    /// Where the interfaces of a record are: by the processes and paths that it names.
    fn open(&self, record: &Record, home: &Netns) -> Option<Netns> {
        if record.key.boot_id != self.boot_id {
            return None;
        }
        if let Some(lent) = &record.lent {
            return Netns::open_known(lent.path.as_deref()?, lent.cookie, home);
        }
        let processes = record.keepers().map(Keeper::parts);
        let paths = record.paths.iter().cloned();
        Netns::find(record.key.cookie, processes, paths, home)
    }
}

/// A look at the addresses of one container's interfaces. Its namespace is opened once,
/// and only where it is asked.
pub(super) struct Inside<'a> {
    look: &'a Look,
    record: &'a Record,
    /// `None` where it cannot be asked.
    rtnl: OnceCell<Option<Rtnl>>,
}

impl Inside<'_> {
    /// What an interface has.
    pub(super) fn of(&self, attachment: &AttachmentRecord, store: &Store) -> Vec<IpNet> {
        let lease = LeaseId {
            namespace: self.record.key.clone(),
            ifindex: attachment.ifindex,
        };
        let kept = store.lease(&lease).ok().flatten();
        self.at(attachment, kept.as_ref())
    }

    /// The same for who has read the lease; `kept` is its lease, if somebody keeps one.
    pub(super) fn at(&self, attachment: &AttachmentRecord, kept: Option<&Kept>) -> Vec<IpNet> {
        let AttachmentRecord {
            addresses, leased, ..
        } = attachment;
        if !attachment.learns && leased.is_empty() && kept.is_none() {
            return addresses.clone();
        }
        let given = addresses.iter().filter(|given| !leased.contains(given));
        let mut all: Vec<IpNet> = given.copied().collect();
        let now = self.ask(attachment.ifindex);
        for address in now.unwrap_or_else(|| last_known(attachment, kept)) {
            if !all.iter().any(|known| known.addr() == address.addr()) {
                all.push(address);
            }
        }
        all
    }

    fn ask(&self, ifindex: u32) -> Option<Vec<IpNet>> {
        let rtnl = self.rtnl.get_or_init(|| {
            let home = self.look.home.as_ref()?;
            let netns = self.look.open(self.record, home)?;
            Rtnl::open_in(&netns, home, self.look.deadline).ok()
        });
        block_on(rtnl.as_ref()?.global_addresses(ifindex))
            .ok()?
            .ok()
    }
}

/// What a server gave it, as whoever keeps the lease said last.
fn last_known(attachment: &AttachmentRecord, kept: Option<&Kept>) -> Vec<IpNet> {
    let Some(kept) = kept else {
        return attachment.leased.clone();
    };
    let four = kept.dhcp4.as_ref().and_then(|kept| kept.applied.address);
    let six = kept.dhcp6.as_ref().and_then(|kept| kept.applied.address);
    let six = six.map(|address| IpNet::from(std::net::IpAddr::V6(address)));
    four.map(IpNet::V4).into_iter().chain(six).collect()
}
