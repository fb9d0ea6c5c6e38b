//! What several checks need to know of this host, looked at once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::deadline::Deadline;
use crate::plan::{OvsUndo, Undo};
use crate::record::{DIRECTORY, Record, RecordError, Store};
use crate::request::IfName;
use crate::sys::block_on;
use crate::sys::rtnl::{LinkFacts, Rtnl};
use crate::sys::seqpacket::is_listened_at;

/// The most that is read of one file.
const MOST_BYTES: u64 = 1 << 20;
/// The most files of one folder that are looked at.
const MOST_FILES: usize = 1024;

/// This host, as far as it can be seen.
pub struct Host {
    /// When everything must have been looked at.
    pub deadline: Deadline,
    /// Whether we see what root sees.
    pub is_root: bool,
    /// Its devices.
    pub links: Vec<LinkFacts>,
    /// The records that can be read.
    pub records: Vec<Record>,
    /// Why the others cannot.
    pub unreadable: Vec<RecordError>,
    /// Where the records are; `None` where there are none, or for who may not
    /// read them.
    pub store: Option<Store>,
}

impl Host {
    /// Looks at the host, and changes nothing: not even the records' folder is
    /// made.
    pub fn look(deadline: Deadline) -> Self {
        let links = Rtnl::open(deadline).ok().and_then(|rtnl| {
            let links = block_on(rtnl.links()).ok()?;
            links.ok()
        });
        let is_root = nix::unistd::geteuid().is_root();
        let mut host = Self {
            deadline,
            is_root,
            links: links.unwrap_or_default(),
            records: Vec::new(),
            unreadable: Vec::new(),
            store: None,
        };
        if is_root && Path::new(DIRECTORY).exists() {
            host.look_at_records();
        }
        host
    }

    fn look_at_records(&mut self) {
        let store = match Store::open(Path::new(DIRECTORY)) {
            Ok(store) => store,
            Err(error) => return self.unreadable.push(error),
        };
        for record in store.all() {
            match record {
                Ok(record) => self.records.push(record),
                Err(error) => self.unreadable.push(error),
            }
        }
        self.store = Some(store);
    }

    /// The bridges of Open vSwitch that containers of ours are plugged into, as
    /// their ports' undoing says: for their index stands another number.
    pub fn ovs_bridges_in_use(&self) -> BTreeSet<&IfName> {
        let all = self.records.iter().flat_map(|r| &r.attachments);
        let is_port = |undo: &Undo| matches!(undo, Undo::Ovs(OvsUndo::DeletePort { .. }));
        let in_ovs = all.filter(|attachment| attachment.undo.iter().any(is_port));
        in_ovs.map(|attachment| &attachment.uplink).collect()
    }

    /// The bridges of Linux that containers of ours are plugged into.
    pub fn bridges_in_use(&self) -> Vec<&LinkFacts> {
        let is_bridge = |link: &&LinkFacts| link.kind.as_deref() == Some("bridge");
        let links = self.links.iter().filter(is_bridge);
        links.filter(|link| self.is_in_use(link.ifindex)).collect()
    }

    fn is_in_use(&self, uplink: u32) -> bool {
        let mut all = self.records.iter().flat_map(|r| &r.attachments);
        all.any(|attachment| attachment.uplink_ifindex == uplink)
    }

    /// Whether pods are run here.
    pub fn has_pods(&self) -> bool {
        has_pods()
    }
}

/// Whether this is a node of Kubernetes'.
pub fn has_pods() -> bool {
    let folders = ["/var/lib/kubelet", "/var/lib/rancher", "/var/lib/k0s"];
    folders.iter().any(|folder| Path::new(folder).is_dir())
}

/// A file's bytes, at most 1 MiB of them; `None` where there is none.
pub fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // A pipe there must not have us wait for a writer.
    let mut options = File::options();
    let options = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A file as text; nothing where there is none that can be read.
pub fn text(path: impl AsRef<Path>) -> String {
    let bytes = bytes(path.as_ref()).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The files of a folder whose names end in `.ending`, in order.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(MOST_FILES).map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == ending));
    paths.sort();
    paths
}

/// Whether somebody listens at the socket `path`: CRI-O leaves that of NRI behind when
/// NRI is switched off.
pub fn has_listener(path: &str) -> bool {
    is_socket(path) && is_listened_at(Path::new(path)).unwrap_or(true)
}

/// Whether there is a socket at `path`.
pub fn is_socket(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}
