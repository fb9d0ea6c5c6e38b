//! Takes back what was made in a namespace because a person says so, whoever
//! still lives in it.

use super::{CollectError, Collector};
use crate::plan::Undo;
use crate::record::{AttachmentRecord, Record};
use crate::reference::{Keeper, NamespaceKey};
use crate::request::IfName;
use crate::sys::netns::Netns;
use crate::sys::proc;

impl Collector<'_> {
    /// Takes back one interface, or all of them; what was taken back. The record
    /// says exactly what, and shrinks with it.
    ///
    /// Leaves nothing half-made behind: what a killed run left goes first.
    pub async fn detach(
        &self,
        key: &NamespaceKey,
        only: Option<&IfName>,
    ) -> Result<Vec<AttachmentRecord>, CollectError> {
        let _lock = self.store.lock_namespace(key, self.deadline)?;
        let known = self.store.read_locked(key)?;
        let Some(record) = known.complete.as_ref().or(known.applying.as_ref()) else {
            return Ok(Vec::new());
        };
        let alive = self.find(record, &[]);
        self.take_back_half_made(&known, alive.as_ref()).await?;
        let Some(record) = known.complete else {
            return Ok(Vec::new());
        };
        let is_meant = |a: &AttachmentRecord| only.is_none_or(|only| a.ifname == *only);
        let (gone, stays): (Vec<_>, Vec<_>) =
            record.attachments.iter().cloned().partition(is_meant);
        if gone.is_empty() {
            return Ok(gone);
        }
        let undos = gone.iter().rev().flat_map(|a| a.undo.clone());
        let undos: Vec<Undo> = undos.filter(Undo::is_part_of_detach).collect();
        self.undo(&undos, alive.as_ref()).await?;
        if stays.is_empty() {
            self.store.forget(&record)?;
        } else {
            for attachment in &gone {
                let uplink = attachment.uplink_ifindex;
                self.store.release_mac(uplink, attachment.mac, key)?;
            }
            self.store.rewrite(&Record {
                attachments: stays,
                ..record.clone()
            })?;
        }
        self.note_empty_bridges(&record).await?;
        Ok(gone)
    }

    /// The namespace of a record, if it is still there.
    pub fn open_namespace(&self, record: &Record) -> Option<Netns> {
        self.by_its_processes(record)
            .or_else(|| self.find(record, &[]).map(|alive| alive.netns))
    }

    /// The same by the processes that the record names: nobody is searched for
    /// among all of the host's.
    fn by_its_processes(&self, record: &Record) -> Option<Netns> {
        let is_of_this_boot = proc::boot_id().ok()? == record.key.boot_id;
        let named = record.keepers().filter(|_| is_of_this_boot);
        let processes = named.map(Keeper::parts);
        Netns::find(record.key.cookie, processes, [], self.home)
    }
}
