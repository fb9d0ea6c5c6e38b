//! The end of a record whose containers are gone.

use super::{Alive, CollectError, Collector, Fate};
use crate::plan::Undo;
use crate::record::Record;
use crate::reference::NamespaceKey;
use crate::sys::proc;

impl Collector<'_> {
    /// Ends the record of `key` unless a container that it names lives; other
    /// processes in the namespace keep nothing. The caller holds the lock.
    pub async fn end_locked(&self, key: &NamespaceKey) -> Result<Fate, CollectError> {
        let known = self.store.read_locked(key)?;
        let Some(any) = known.complete.as_ref().or(known.applying.as_ref()) else {
            return Ok(Fate::Ended);
        };
        let alive = self.find(any, &[]);
        self.take_back_half_made(&known, alive.as_ref()).await?;
        let Some(record) = known.complete else {
            return Ok(Fate::Ended);
        };
        let mut inits = record.references().map(|reference| reference.init);
        if inits.any(|init| proc::is_same(init.pid, init.birth)) {
            return Ok(Fate::Lives);
        }
        self.end(&record, alive.as_ref()).await
    }

    /// Takes back what a record holds, and forgets it.
    pub(super) async fn end(
        &self,
        record: &Record,
        alive: Option<&Alive>,
    ) -> Result<Fate, CollectError> {
        let undos: Vec<Undo> = record
            .attachments
            .iter()
            // What came last stands on what was there before.
            .rev()
            .flat_map(|attachment| attachment.undo.clone())
            .filter(Undo::is_part_of_detach)
            .collect();
        self.undo(&undos, alive).await?;
        self.store.forget(record)?;
        self.note_empty_bridges(record).await?;
        Ok(Fate::Ended)
    }
}
