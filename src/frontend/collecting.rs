//! A collector for whoever ends what others made.

use std::path::Path;
use std::time::Duration;

use crate::collect::Collector;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::record::{DIRECTORY, Store};
use crate::sys::block_on;
use crate::sys::netns::Netns;
use crate::sys::rtnl::Rtnl;

/// Runs `work` with a collector of the host's records; `patience` is how long it
/// waits for a NIC that the kernel gives back by and by.
pub fn with_collector<T>(
    deadline: Deadline,
    patience: Duration,
    work: impl AsyncFnOnce(&Collector<'_>) -> T,
) -> Result<T, Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let home = Netns::own().map_err(Error::Socket)?;
    block_on(async {
        let host = Rtnl::open(deadline).map_err(Error::Socket)?;
        let collector = Collector {
            store: &store,
            host: &host,
            home: &home,
            deadline,
            patience,
        };
        Ok(work(&collector).await)
    })
    .map_err(Error::Socket)?
}
