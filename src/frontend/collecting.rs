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

/// What a collector works with.
pub struct Host {
    store: Store,
    socket: Rtnl,
    home: Netns,
    deadline: Deadline,
}

impl Host {
    /// The host's records, a socket on it, and our own namespace.
    pub fn open(deadline: Deadline) -> Result<Self, Error> {
        Ok(Self {
            store: Store::open(Path::new(DIRECTORY))?,
            socket: Rtnl::open(deadline).map_err(Error::Socket)?,
            home: Netns::own().map_err(Error::Socket)?,
            deadline,
        })
    }

    /// A collector of the host's records; `patience` is how long it waits for a
    /// NIC that the kernel gives back by and by.
    pub fn collector(&self, patience: Duration) -> Collector<'_> {
        Collector {
            store: &self.store,
            host: &self.socket,
            home: &self.home,
            deadline: self.deadline,
            patience,
        }
    }
}

/// Runs `work` with a collector of its own.
pub fn with_collector<T>(
    deadline: Deadline,
    patience: Duration,
    work: impl AsyncFnOnce(&Collector<'_>) -> T,
) -> Result<T, Error> {
    let host = Host::open(deadline)?;
    block_on(async { work(&host.collector(patience)).await }).map_err(Error::Socket)
}
