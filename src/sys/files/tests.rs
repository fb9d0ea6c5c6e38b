//! The checks against a root that somebody prepared to mislead us.

use std::os::unix::fs::symlink;

use super::*;

/// A directory of this test's own, in one that only root can change.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIP: only root can make what is root's");
            return None;
        }
        let path = PathBuf::from(format!("/run/pipework-test-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("root/etc")).unwrap();
        Some(Self(path))
    }

    fn root(&self) -> FilePlace {
        FilePlace::Root {
            root: self.0.join("root"),
        }
    }

    fn engine(&self) -> FilePlace {
        FilePlace::Engine {
            path: self.0.join("resolv.conf"),
        }
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.join(path);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const RESOLV: ContainerFile = ContainerFile::Resolv;

#[test]
fn a_file_is_written_in_place_and_made_where_there_is_none() {
    let Some(scratch) = Scratch::new("write") else {
        return;
    };
    let place = scratch.root();
    assert_eq!(read(RESOLV, &place).unwrap(), None);
    replace(RESOLV, &place, None, "a longer text\n").unwrap();
    let path = scratch.0.join("root/etc/resolv.conf");
    let inode = fs::metadata(&path).unwrap().ino();
    replace(RESOLV, &place, Some("a longer text\n"), "text\n").unwrap();
    assert_eq!(read(RESOLV, &place).unwrap().as_deref(), Some("text\n"));
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    remove(RESOLV, &place).unwrap();
    assert_eq!(read(RESOLV, &place).unwrap(), None);
}

#[test]
fn what_changed_since_it_was_read_is_left_alone() {
    let Some(scratch) = Scratch::new("changed") else {
        return;
    };
    scratch.write("root/etc/resolv.conf", "theirs\n");
    let place = scratch.root();
    for former in [None, Some("other\n")] {
        let refused = replace(RESOLV, &place, former, "ours\n").unwrap_err();
        assert!(matches!(refused, FileFault::Changed { .. }), "{refused}");
    }
    assert_eq!(read(RESOLV, &place).unwrap().as_deref(), Some("theirs\n"));
}

#[test]
fn a_link_in_the_root_leads_nowhere_outside() {
    let Some(scratch) = Scratch::new("link") else {
        return;
    };
    let outside = scratch.write("outside", "secret\n");
    let link = scratch.0.join("root/etc/resolv.conf");
    symlink(&outside, &link).unwrap();
    assert_eq!(read(RESOLV, &scratch.root()).unwrap(), None);
    fs::remove_file(&link).unwrap();
    symlink("../../outside", &link).unwrap();
    assert_eq!(read(RESOLV, &scratch.root()).unwrap(), None);
    fs::remove_file(&link).unwrap();
    fs::remove_dir(scratch.0.join("root/etc")).unwrap();
    symlink("..", scratch.0.join("root/etc")).unwrap();
    scratch.write("resolv.conf", "secret\n");
    assert_eq!(read(RESOLV, &scratch.root()).unwrap(), None);
    assert_eq!(fs::read_to_string(outside).unwrap(), "secret\n");
}

#[test]
fn a_link_that_stays_in_the_root_is_followed() {
    let Some(scratch) = Scratch::new("inside") else {
        return;
    };
    fs::create_dir(scratch.0.join("root/run")).unwrap();
    scratch.write("root/run/resolv.conf", "nameserver 192.0.2.53\n");
    symlink("/run/resolv.conf", scratch.0.join("root/etc/resolv.conf")).unwrap();
    let place = scratch.root();
    assert_eq!(
        read(RESOLV, &place).unwrap().as_deref(),
        Some("nameserver 192.0.2.53\n")
    );
}

#[test]
fn a_file_with_a_second_name_and_a_pipe_are_left_alone() {
    let Some(scratch) = Scratch::new("kinds") else {
        return;
    };
    let first = scratch.write("first", "shadow\n");
    let path = scratch.0.join("root/etc/resolv.conf");
    fs::hard_link(&first, &path).unwrap();
    let refused = read(RESOLV, &scratch.root()).unwrap_err();
    assert!(
        matches!(refused, FileFault::ManyNames { links: 2, .. }),
        "{refused}"
    );
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    let refused = read(RESOLV, &scratch.root()).unwrap_err();
    assert!(matches!(refused, FileFault::NotRegular { .. }), "{refused}");
}

#[test]
fn the_hosts_root_is_no_containers() {
    for root in ["/", "/proc/self/root", "/etc/.."] {
        let place = FilePlace::Root { root: root.into() };
        let refused = read(RESOLV, &place).unwrap_err();
        let is_refused = matches!(refused, FileFault::Hosts { .. } | FileFault::Io { .. });
        assert!(is_refused, "{root}: {refused}");
    }
}

#[test]
fn an_engines_file_is_roots_alone_on_a_path_without_links() {
    let Some(scratch) = Scratch::new("engine") else {
        return;
    };
    let path = scratch.write("resolv.conf", "engine\n");
    let place = scratch.engine();
    assert_eq!(read(RESOLV, &place).unwrap().as_deref(), Some("engine\n"));
    std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
    let refused = read(RESOLV, &place).unwrap_err();
    assert!(matches!(refused, FileFault::NotRoots { .. }), "{refused}");
    fs::remove_file(&path).unwrap();
    symlink("/etc/shadow", &path).unwrap();
    assert!(read(RESOLV, &place).is_err());
    fs::remove_file(&path).unwrap();
    scratch.write("resolv.conf", "engine\n");
    std::os::unix::fs::chown(&scratch.0, Some(1000), None).unwrap();
    let refused = read(RESOLV, &place).unwrap_err();
    assert!(matches!(refused, FileFault::NotRoots { .. }), "{refused}");
}
