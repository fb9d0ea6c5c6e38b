//! The leases of a run once it has had success: what their servers know of
//! names, and who keeps them from then on.

use super::{Leases, Leasing, Taken, six};
use crate::host::container::Sandbox;
use crate::keeper;
use crate::plan::Learned;
use crate::plan::lease::resolver;

impl Leases {
    /// What the servers know of names.
    pub(super) fn learned(&self) -> Vec<Learned> {
        let leases6 = self.0.iter().filter_map(|taken| {
            let bound = taken.kept.dhcp6.as_ref()?.bound.as_ref()?;
            Some(six::learned(&taken.kept.ifname, &bound.lease.information))
        });
        let leases = self.0.iter().filter_map(|taken| {
            let bound = taken.kept.dhcp4.as_ref()?.bound.as_ref()?;
            Some((&taken.kept.ifname, &bound.lease))
        });
        let learned = leases.map(|(ifname, lease)| Learned {
            ifname: ifname.clone(),
            resolver: resolver(lease, ifname),
            addresses: Vec::new(),
        });
        learned.chain(leases6).collect()
    }

    /// Both families of one interface are one lease to who keeps it.
    fn joined(self) -> Vec<Taken> {
        let mut joined: Vec<Taken> = Vec::new();
        for taken in self.0 {
            let Some(first) = joined.iter_mut().find(|t| t.kept.id == taken.kept.id) else {
                joined.push(taken);
                continue;
            };
            first.kept.dhcp4 = first.kept.dhcp4.take().or(taken.kept.dhcp4);
            first.kept.dhcp6 = first.kept.dhcp6.take().or(taken.kept.dhcp6);
            first.remembered.extend(taken.remembered);
            first.sockets.extend(taken.sockets);
        }
        joined
    }

    /// Writes the leases down, so that one is found by who keeps it as soon as its
    /// interface counts as made. What fails here fails no start: an address ends with
    /// its lease all the same.
    pub(in crate::attach) fn write_down(self, leasing: &Leasing<'_>) -> Self {
        let Leasing {
            sandbox, kernel, ..
        } = leasing;
        let mut leases = self.joined();
        for Taken { kept, .. } in &mut leases {
            if kept.dhcp4.is_none() && kept.dhcp6.is_none() {
                continue;
            }
            if let Err(error) = kernel.store.keep_lease(kept) {
                tracing::warn!(id = sandbox.id, %error, "the lease is not written down");
                (kept.dhcp4, kept.dhcp6) = (None, None);
            }
        }
        Self(leases)
    }

    /// Remembers the leases and names them to who keeps them.
    ///
    /// What is returned says what the daemon answered, once that is of interest.
    pub(in crate::attach) fn hand_over(self, leasing: &Leasing<'_>) -> Vec<keeper::HandedOver> {
        let mut handed = Vec::new();
        let Leasing {
            sandbox, kernel, ..
        } = leasing;
        for Taken {
            kept,
            remembered,
            sockets,
            keeps,
        } in self.0
        {
            for last in remembered {
                if let Err(error) = last.remember(kernel.store) {
                    tracing::warn!(id = sandbox.id, %error, "the lease is not remembered");
                }
            }
            if kept.dhcp4.is_none() && kept.dhcp6.is_none() {
                continue;
            }
            match keeper::hand_over_soon(&kept.id, sockets, kernel.deadline) {
                Ok(told) => handed.push(told),
                Err(_) if !keeps => {}
                Err(error) => {
                    tracing::warn!(id = sandbox.id, %error, "the daemon was not told of the lease");
                }
            }
        }
        handed
    }
}

/// Says what the daemon has refused by now.
pub(in crate::attach) fn look_at_answers(handed: &[keeper::HandedOver], sandbox: &Sandbox) {
    for error in handed.iter().filter_map(|told| told.answer().err()) {
        tracing::warn!(id = sandbox.id, %error, "the daemon does not keep the lease");
    }
}
