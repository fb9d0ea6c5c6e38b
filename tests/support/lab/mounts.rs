//! The files of a lab: an empty /run, an /etc that may be written to, and none
//! of the host's own networking.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::run;

/// A machine id that every lab has, so that MACs are the same everywhere.
const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef\n";

/// Mounts them in the mount namespace of this thread, which must be its own.
pub fn furnish() -> Result<(), String> {
    run("mount", "--make-rprivate /");
    run("mount", "-t tmpfs tmpfs /run");
    cover("/etc")?;
    // Leases are remembered below it.
    cover("/var/lib")?;
    fs::remove_dir_all("/etc/pipework").ok();
    fs::remove_file("/etc/machine-id").ok();
    fs::write("/etc/machine-id", MACHINE_ID).unwrap();
    hide_hooks();
    hide_open_vswitch()
}

/// Nor is pipework installed.
fn hide_hooks() {
    let folder = "/usr/share/containers/oci/hooks.d";
    if Path::new(folder).exists() {
        run("mount", &format!("-t tmpfs tmpfs {folder}"));
    }
}

/// Makes what is written below `folder` the lab's own.
pub fn cover(folder: &str) -> Result<(), String> {
    let own = format!("/run/lab{folder}");
    let (upper, work) = (format!("{own}/upper"), format!("{own}/work"));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(&work).unwrap();
    let options = format!("lowerdir={folder},upperdir={upper},workdir={work}");
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &options, folder])
        .output();
    if mounted.is_ok_and(|output| output.status.success()) {
        Ok(())
    } else {
        Err("kernel has no overlayfs".to_owned())
    }
}

/// Where Open vSwitch is installed the hook asks it before it makes a bridge: a
/// lab is a host without it, wherever it runs. Debian's /usr/sbin/ovs-vswitchd
/// is a link into /etc; the program stays in /usr/lib/openvswitch-switch.
fn hide_open_vswitch() -> Result<(), String> {
    fs::remove_dir_all("/etc/openvswitch").ok();
    fs::remove_file("/etc/alternatives/ovs-vswitchd").ok();
    let program = Path::new("/usr/sbin/ovs-vswitchd");
    if program.exists() {
        cover("/usr/sbin")?;
        fs::remove_file(program).unwrap();
    }
    Ok(())
}
