//! Leases that nobody keeps: files of containers that ended while no daemon ran.

use super::{CollectError, Collector};
use crate::record::{Kept, RecordError};
use crate::sys::proc;

impl Collector<'_> {
    /// Forgets the leases of namespaces that no record speaks of and no process
    /// needs; returns whose they were. Their addresses went with the namespaces.
    pub fn sweep_leases(&self) -> Vec<Result<String, CollectError>> {
        let leases = match self.store.leases() {
            Ok(leases) => leases,
            Err(error) => return vec![Err(error.into())],
        };
        let swept = leases.into_iter().map(|kept| match kept {
            Ok(kept) => Ok(self.sweep_lease(&kept)?),
            // That of a newer release is its own to look after.
            Err(RecordError::Newer { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        });
        swept.filter_map(Result::transpose).collect()
    }

    fn sweep_lease(&self, kept: &Kept) -> Result<Option<String>, RecordError> {
        let key = &kept.id.namespace;
        let Some(_lock) = self.store.try_lock_namespace(key)? else {
            return Ok(None);
        };
        let known = self.store.read(key)?;
        let is_known = known.complete.is_some() || known.applying.is_some();
        let mut keepers = kept.keepers.iter();
        // Who cannot tell this boot from others forgets nothing.
        let Ok(boot_id) = proc::boot_id() else {
            return Ok(None);
        };
        let is_of_now = boot_id == key.boot_id;
        let lives = keepers.any(|keeper| proc::is_same(keeper.pid, keeper.birth));
        if is_of_now && (is_known || lives) {
            return Ok(None);
        }
        self.store.forget_lease(&kept.id)?;
        Ok(Some(format!("{}/{}", kept.identity.name, kept.ifname)))
    }
}
