//! Settings below /proc/sys/net.

use std::cell::OnceCell;
use std::io;

use super::{Cause, Kernel};
use crate::plan::Step;
use crate::record::Store;
use crate::sys::rtnl::Refusal;
use crate::sys::sysctl::{self, Procfs};

/// From about how many namespaces on a procfs of our own is worth its making: 26 µs, and
/// 80 when it goes, while the machine's takes nearly 2 a namespace.
const CROWD: u64 = 128;

/// A procfs of our own, once a setting was written, where the machine's would be slow.
#[derive(Debug, Default)]
pub struct OwnProcfs(OnceCell<Option<Procfs>>);

impl OwnProcfs {
    /// Ours, unless there are few namespaces, or somebody does not let us: an old kernel,
    /// a service manager's filter, a security module. The machine's serves then.
    fn get(&self, store: &Store) -> Option<&Procfs> {
        let make = || (store.estimate() >= CROWD).then(Procfs::new);
        let own = self.0.get_or_init(|| make().and_then(Result::ok));
        own.as_ref()
    }
}

pub(super) fn once(step: &Step, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let Step::SetSysctl {
        ifname,
        family,
        leaf,
        value,
        absent_is_fine,
    } = step
    else {
        return Ok(());
    };
    let write = || match kernel.procfs.get(kernel.store) {
        Some(own) => own.write(*family, ifname, leaf, value),
        None => sysctl::write(*family, ifname, leaf, value),
    };
    match kernel.netns.inside(kernel.home, write).and_then(|r| r) {
        Err(e) if *absent_is_fine && e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(sysctl_refused(&e)),
        Ok(()) => Ok(()),
    }
}

pub(super) fn sysctl_refused(error: &io::Error) -> Cause {
    Cause::Sysctl(Refusal {
        operation: "write",
        errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
        kernel_says: None,
    })
}
