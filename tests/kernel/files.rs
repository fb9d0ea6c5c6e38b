//! The files by which a container finds names, when a start is refused or killed
//! around them: they are as they were.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::kill::{killed_at, strace_works, was_killed};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, bundle_of, feed, lab, run};
use crate::support::skip;

const ASKED: [&str; 3] = [
    "pipework.bridge=br0",
    "pipework.ip=10.0.0.5/24",
    "pipework.dns=10.0.0.53",
];
/// As engines draw them: only such an id proves that a file is the engine's.
const ID: &str = "0123456789abcdef0123456789abcdef";
/// What writes such a file, and the calls around it. strace counts each by itself.
const CALLS: [&str; 5] = ["openat2", "write", "ftruncate", "unlinkat", "rename"];
/// No run has so many of them.
const MANY: usize = 100;

/// Makes the bundle of `container`, whose root has `text` as its resolv.conf.
fn with_root(container: &Container, text: Option<&str>) -> PathBuf {
    let bundle = bundle_of(&container.id);
    let etc = bundle.join("rootfs/etc");
    fs::create_dir_all(&etc).unwrap();
    let config = json!({ "root": { "path": "rootfs" } }).to_string();
    fs::write(bundle.join("config.json"), config).unwrap();
    let file = etc.join("resolv.conf");
    fs::remove_file(&file).ok();
    if let Some(text) = text {
        fs::write(&file, text).unwrap();
    }
    file
}

#[test]
fn a_file_is_put_back_when_what_comes_after_it_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container(ID);
        // The files that an engine keeps for it; hosts can be read only.
        let kept = Path::new("/run/engine").join(ID);
        fs::create_dir_all(&kept).unwrap();
        let (resolv, hosts) = (kept.join("resolv.conf"), kept.join("hosts"));
        fs::write(&resolv, "nameserver 192.0.2.1\n").unwrap();
        fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
        let bundle = bundle_of(ID);
        fs::create_dir_all(&bundle).unwrap();
        let mount = |file: &Path, name: &str| json!({ "destination": name, "source": file });
        let config = json!({
            "hostname": "web",
            "root": { "path": "rootfs" },
            "mounts": [mount(&resolv, "/etc/resolv.conf"), mount(&hosts, "/etc/hosts")],
        });
        fs::write(bundle.join("config.json"), config.to_string()).unwrap();
        let path = hosts.display();
        run("mount", &format!("--bind {path} {path}"));
        run("mount", &format!("-o remount,bind,ro {path}"));

        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let text = lab.attach(&container, &ASKED).refused(16);
        assert!(text.contains("hosts: Read-only file system"), "{text}");
        assert_eq!(
            fs::read_to_string(&resolv).unwrap(),
            "nameserver 192.0.2.1\n"
        );
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty(), "{:?}", Records::take());

        run("umount", &path.to_string());
        lab.attach(&container, &ASKED).ok();
        let written = fs::read_to_string(&resolv).unwrap();
        assert!(written.contains("nameserver 10.0.0.53"), "{written}");
    });
}

/// Kills a start, or the run that ends it, in each call around the file, and has
/// `pipework gc` clear up.
fn killed_around(lab: &Lab, former: Option<&str>) {
    lab.bridge("br0");
    let container = lab.container("web");
    let file = with_root(&container, former);
    lab.attach(&container, &ASKED).ok();
    let new = fs::read_to_string(&file).unwrap();
    container.end();
    lab.gc().ok();
    let (host, records) = (lab.snapshot(), Records::take());
    let mut was_half_written = false;
    for name in CALLS {
        let calls = (1..MANY).take_while(|call| {
            let container = lab.container("web");
            let file = with_root(&container, former);
            let now = || fs::read_to_string(&file).ok();
            let is_half = || now().as_deref() != former && now().as_deref() != Some(&new);
            let state = lab.state(&container, &ASKED).to_string();
            let mut start = killed_at(name, *call);
            start.args(["hook", "--stage", "createRuntime"]);
            let is_killed = was_killed(&feed(&mut start, state.as_bytes()));
            was_half_written |= is_half();
            container.end();
            let mut end = killed_at(name, *call);
            end.arg("gc");
            let is_end_killed = was_killed(&feed(&mut end, b""));
            was_half_written |= is_half();
            lab.gc().ok();
            let what = format!("{name} {call}");
            assert_eq!(now().as_deref(), former, "{what}");
            host.assert_equal(&lab.snapshot(), &what);
            records.assert_equal(&Records::take(), &what);
            is_killed || is_end_killed
        });
        let kills = calls.count();
        // What was there is written over, and what was not is removed.
        let is_made = match name {
            "ftruncate" => former.is_some(),
            "unlinkat" => former.is_none(),
            _ => true,
        };
        assert_eq!(kills > 0, is_made, "kills in {name}: {kills}, {former:?}");
        assert!(kills < MANY - 1, "it never survived {name}");
    }
    assert!(was_half_written, "half of it was never written");
}

#[test]
fn a_file_that_a_killed_run_had_written_or_half_written_is_as_before() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    let long = format!("# {}\nnameserver 192.0.2.1\n", "kept ".repeat(100));
    for text in [None, Some("nameserver 192.0.2.1\n".to_owned()), Some(long)] {
        lab!(move |lab| killed_around(lab, text.as_deref()));
    }
}
