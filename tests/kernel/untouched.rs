//! What a start leaves as it was on the host around its bridge, and a plan
//! everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::lab::{Lab, Outcome, PIPEWORK, has, ip, ip_json, lab, run};
use crate::support::skip;

/// Every file below a folder that can be read, by its path.
fn contents(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => contents(&path, found),
            Ok(_) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                found.insert(path, text);
            }
            Err(_) => {}
        }
    }
}

/// Forwarding, filtering of reverse paths and all other settings of the host's
/// network, but for those of interfaces that came since, and of what counts.
fn settings() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for family in ["ipv4", "ipv6", "netfilter", "bridge"] {
        contents(&Path::new("/proc/sys/net").join(family), &mut found);
    }
    found.retain(|path, _| {
        let path = path.to_string_lossy();
        // Names of our own and of the bridge that is made.
        let is_ours = path.contains("/pw") || path.contains("/br7");
        !is_ours && !path.contains("/pw") && !path.ends_with("_count")
    });
    assert!(found.contains_key(Path::new("/proc/sys/net/ipv4/ip_forward")));
    found
}

/// All rules that translate or drop, whichever program made them.
fn rules() -> (String, String) {
    let tables = ["ip_tables_names", "ip6_tables_names", "arp_tables_names"];
    let names = tables.map(|table| {
        fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default()
    });
    (run("nft", "list ruleset"), names.concat())
}

#[test]
fn a_bridge_gets_no_translation_no_address_and_no_setting_from_us() {
    if !has("nft", "--version") {
        skip!("there is no nft");
    }
    lab!(|lab| {
        // A rule of somebody else's, so that there is something to be seen.
        let mut nft = Command::new("nft");
        let added = nft.args(["add", "table", "inet", "theirs"]);
        if !added.stderr(Stdio::null()).status().unwrap().success() {
            skip!("kernel has no nftables");
        }
        lab.bridge("br0");
        ip("addr add 10.0.0.1/24 dev br0");
        let addresses = || ip_json("addr show dev br0")[0]["addr_info"].clone();
        let before = (settings(), rules(), addresses());
        for bridge in ["br0", "br7"] {
            let asked = [
                &format!("pipework.bridge={bridge}"),
                "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
            ];
            let container = lab.any_container();
            lab.attach(&container, &asked).ok();
            assert!(before.1.0.contains("theirs"), "{}", before.1.0);
            assert_eq!(rules(), before.1, "{bridge}");
            assert_eq!(addresses(), before.2);
            assert_eq!(settings(), before.0, "{bridge}");
            let id = container.id.clone();
            container.end();
            lab.poststop(&id).ok();
        }
        let made = ip_json("addr show dev br7")[0]["addr_info"].to_string();
        assert!(!made.contains("\"inet\""), "{made}");
        assert!(!made.contains("global"), "{made}");
        assert_eq!((settings(), rules(), addresses()), before);
    });
}

/// Every file that a plan could have touched, with when it was.
fn files() -> Vec<String> {
    fn list(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(meta) = path.symlink_metadata() else {
                continue;
            };
            let changed = (meta.mtime(), meta.mtime_nsec(), meta.ctime_nsec());
            found.push(format!("{} {changed:?} {}", path.display(), meta.len()));
            if meta.is_dir() {
                list(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["/run", "/etc", "/var/lib"] {
        list(Path::new(folder), &mut found);
    }
    found.sort();
    found
}

/// A copy of the program in a folder that everybody may enter.
fn for_everybody(_: &Lab) -> &'static str {
    const COPY: &str = "/run/everybodys-pipework";
    fs::copy(PIPEWORK, COPY).unwrap();
    fs::set_permissions(COPY, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions("/run", fs::Permissions::from_mode(0o755)).unwrap();
    COPY
}

fn nobody(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args(["--bounding-set=-all", "--no-new-privs", program, "plan"]);
    command
}

#[test]
fn a_plan_by_nobody_says_what_roots_says_and_touches_nothing() {
    lab!(|lab| {
        let program = for_everybody(lab);
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(
            &container,
            &["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"],
        );
        fs::write("/run/state", state.to_string()).unwrap();
        fs::set_permissions("/run/state", fs::Permissions::from_mode(0o644)).unwrap();
        let (host, guest, before) = (lab.snapshot(), lab.snapshot_of(&container), files());
        let asked = [
            "--annotation=pipework.bridge=br7",
            "--annotation=pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
        ];
        let said = |command: &mut Command, asked: &[&str]| {
            let stdin = fs::File::open("/run/state").unwrap();
            let outcome = Outcome(command.args(asked).stdin(stdin).output().unwrap());
            outcome.ok();
            String::from_utf8(outcome.0.stdout).unwrap()
        };
        let roots = said(Command::new(program).arg("plan"), &asked);
        assert!(roots.contains("10.0.0.5/24"), "{roots}");
        assert_eq!(said(&mut nobody(program), &asked), roots);
        // Into the namespace of a container that runs it may not look.
        let of_state = said(&mut nobody(program), &[]);
        assert!(
            of_state.starts_with("for a container with a new network namespace"),
            "{of_state}"
        );
        assert_eq!(files(), before);
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}
