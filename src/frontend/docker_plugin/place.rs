//! Where an interface is, and how it gets there: in the namespace in which it was
//! made, on the host, or in its container's.
//!
//! It is known by its index, which it keeps on its way (`dev_change_net_namespace`),
//! and its name on the host or its hardware address: an index that the kernel had
//! to change is found by name, where dockerd put it back.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;

use super::driver::Driver;
use super::endpoint::TIME;
use super::error::DockerError;
use super::scratch;
use crate::attach::unplug;
use crate::collect::{Collector, NIC_PATIENCE};
use crate::deadline::Deadline;
use crate::docker::state::Endpoint;
use crate::error::Error;
use crate::frontend::collecting::with_collector;
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::reference::NamespaceKey;
use crate::request::MacAddr;
use crate::sys::netns::Netns;
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};
use crate::sys::{block_on, proc};

/// How long a look may take.
const LOOK_TIME: Duration = Duration::from_secs(5);

fn kernel(error: RtnlError) -> Error {
    InspectError::from(error).into()
}

/// Where dockerd says that a container's namespace is; it may not be there yet.
pub(super) fn sandbox_path(text: &str) -> Result<PathBuf, DockerError> {
    let path = PathBuf::from(text);
    let is_name = |name: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain)
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let folder = path.parent().and_then(Path::file_name);
    let is_dockers = path.is_absolute()
        && !text.contains("..")
        && folder.is_some_and(|folder| folder == "netns")
        && name.is_some_and(is_name);
    match is_dockers {
        true => Ok(path),
        false => Err(DockerError::Sandbox(path)),
    }
}

pub(super) async fn find(at: &Rtnl, endpoint: &Endpoint) -> Result<Option<LinkFacts>, RtnlError> {
    let by_index = at.link_by_index(endpoint.ifindex.max(1)).await?;
    let mac = endpoint.mac.parse::<MacAddr>().ok().map(MacAddr::octets);
    let is_ours =
        |link: &LinkFacts| link.name == endpoint.link || (mac.is_some() && link.mac == mac);
    Ok(by_index.filter(|link| endpoint.ifindex != 0 && is_ours(link)))
}

async fn find_on_host(host: &Rtnl, endpoint: &Endpoint) -> Result<Option<LinkFacts>, RtnlError> {
    match find(host, endpoint).await? {
        Some(link) => Ok(Some(link)),
        None => {
            let named = host.link_by_name(&endpoint.link).await?;
            Ok(named.filter(|link| link.name == endpoint.link))
        }
    }
}

/// Whether the interface waits for dockerd on the host.
pub(super) fn is_on_host(endpoint: &Endpoint) -> Result<bool, Error> {
    let host = Rtnl::open(Deadline::after(LOOK_TIME)).map_err(Error::Socket)?;
    let found = block_on(find_on_host(&host, endpoint)).map_err(Error::Socket)?;
    found.map(|link| link.is_some()).map_err(kernel)
}

/// Moves what was made to the host.
pub(super) fn to_host(endpoint: &Endpoint, sandbox: &Sandbox) -> Result<(), Error> {
    let Sandbox { guest, home, .. } = sandbox;
    let moved = guest.move_link(endpoint.ifindex, home, &endpoint.link, None);
    block_on(moved).map_err(Error::Socket)?.map_err(kernel)
}

/// The namespace of its container, if it is there, and not only the file on which
/// dockerd had mounted it.
fn sandbox(endpoint: &Endpoint) -> Option<Netns> {
    let opened = Netns::open(endpoint.sandbox.as_deref()?).ok();
    opened.filter(Netns::is_one)
}

/// Whether we lack what a file is opened with, which says nothing of the file.
fn is_short_of(error: &io::Error) -> bool {
    let short = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EINTR];
    error
        .raw_os_error()
        .is_some_and(|code| short.contains(&code))
}

/// Whether it was made since the machine started.
pub(super) fn is_of_now(endpoint: &Endpoint) -> bool {
    proc::is_this_boot(&endpoint.boot_id)
}

/// Whether its container is gone, or never was: then its interface is not there.
/// Where that cannot be known it may be.
pub(super) fn is_dead(endpoint: &Endpoint) -> bool {
    if !is_of_now(endpoint) {
        return true;
    }
    let netns = match endpoint.sandbox.as_deref().map(Netns::open) {
        Some(Ok(netns)) if netns.is_one() => netns,
        Some(Err(error)) if is_short_of(&error) => return false,
        Some(Ok(_) | Err(_)) | None => return true,
    };
    let look = || -> Option<bool> {
        let home = Netns::own().ok()?;
        let inside = Rtnl::open_in(&netns, &home, Deadline::after(LOOK_TIME)).ok()?;
        // Dockerd has named it anew, and whoever is in there may have changed its MAC.
        let found = inside.link_by_index(endpoint.ifindex.max(1));
        Some(block_on(found).ok()?.ok()?.is_none())
    };
    look().unwrap_or_default()
}

/// Ends an interface, wherever it is and however far it had come.
pub(super) fn take_back(driver: &Driver, endpoint: &Endpoint) -> Result<(), Error> {
    let path = scratch::path_of(&endpoint.id);
    if is_of_now(endpoint) {
        let deadline = Deadline::after(TIME);
        with_collector(deadline, NIC_PATIENCE, async |collector| {
            end(endpoint, &path, collector).await
        })??;
    }
    scratch::remove(&path)?;
    driver
        .state
        .forget::<Endpoint>(&endpoint.id)
        .map_err(DockerError::from)?;
    Ok(())
}

async fn end(endpoint: &Endpoint, path: &Path, collector: &Collector<'_>) -> Result<(), Error> {
    // A run that was killed may not have come to lead from the endpoint to it, or
    // not lead any more.
    let key = match bound(path, collector.home) {
        Some((_, cookie)) => Some(NamespaceKey {
            boot_id: endpoint.boot_id.clone(),
            cookie,
        }),
        None => collector.store.namespace_of(&endpoint.id, "")?,
    };
    let mut endpoint = endpoint.clone();
    if let Some(key) = &key {
        // Killed before it noted which index it was.
        let known = collector.store.read(key)?;
        let record = known.complete.as_ref().or(known.applying.as_ref());
        let made = record.and_then(|record| record.attachments.first());
        endpoint.ifindex = made.map_or(endpoint.ifindex, |made| made.ifindex);
    }
    bring_home(&endpoint, path, collector).await?;
    if let Some(key) = key {
        forget(&key, collector).await?;
        // The way goes after the record: a run killed between them has left it.
        collector.store.unlead_container(&endpoint.id, "", &key)?;
    }
    Ok(())
}

/// Moves the interface to where it was made. Where that is gone it ends here.
async fn bring_home(
    endpoint: &Endpoint,
    path: &Path,
    collector: &Collector<'_>,
) -> Result<(), Error> {
    let Collector {
        host,
        home,
        deadline,
        ..
    } = *collector;
    let scratch = bound(path, home);
    let mut places = Vec::new();
    if let Some(link) = find_on_host(host, endpoint).await.map_err(kernel)? {
        places.push((host.until(deadline), link));
    } else if let Some(netns) = sandbox(endpoint) {
        let inside = Rtnl::open_in(&netns, home, deadline).map_err(Error::Socket)?;
        if let Some(link) = find(&inside, endpoint).await.map_err(kernel)? {
            places.push((inside, link));
        }
    }
    for (at, link) in places {
        let ended = match &scratch {
            Some((scratch, _)) => {
                at.move_link(link.ifindex, scratch, &endpoint.link, None)
                    .await
            }
            None => at.delete_link(link.ifindex).await,
        };
        match ended {
            // dockerd deletes the namespace at the same time.
            Err(RtnlError::Refused(r)) if r.errno == nix::libc::ENODEV => {}
            other => other.map_err(kernel)?,
        }
    }
    Ok(())
}

/// The namespace that is bound there, with its cookie. A plain file is none.
fn bound(path: &Path, home: &Netns) -> Option<(Netns, u64)> {
    let netns = Netns::open(path).ok()?;
    let cookie = netns.cookie(home).ok()?;
    Some((netns, cookie))
}

/// Takes back what its record says.
async fn forget(key: &NamespaceKey, collector: &Collector<'_>) -> Result<(), Error> {
    let known = collector.store.read(key)?;
    let ended = match known.complete {
        Some(record) => unplug(&record, None, collector).await,
        None => collector.detach(key, None).await,
    };
    ended
        .map(drop)
        .map_err(|error| Error::NotTakenBack(Box::new(error)))
}
