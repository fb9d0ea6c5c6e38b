//! podman in a lab, whose folders are the lab's own.

use std::fs;
use std::os::unix::fs::symlink;

use super::lab::run;

/// Where it finds the hooks that a test installs.
pub const HOOKS: &str = "/run/hooks.d";

/// Runs podman, which must have success, and returns what it printed.
#[track_caller]
pub fn podman(arguments: &str) -> String {
    let own = format!("--storage-driver vfs --hooks-dir {HOOKS}");
    run("podman", &format!("{own} {arguments}"))
}

/// Makes the image `bb:1`, of busybox.
pub fn import_image() {
    fs::create_dir_all(HOOKS).unwrap();
    fs::create_dir_all("/run/image/bin").unwrap();
    fs::copy("/usr/bin/busybox", "/run/image/bin/busybox").unwrap();
    symlink("busybox", "/run/image/bin/sleep").unwrap();
    run("tar", "cf /run/image.tar -C /run/image .");
    podman("import -q /run/image.tar bb:1");
}
