//! The file itself: who may have written it, and what is wrong in it, where.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use super::fixtures::parse;
use crate::policy::{Policy, PolicyError};
use crate::trust::{FileError, FileFault};

/// A directory of this test's own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let name = format!("pipework-policy-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, text: &[u8]) -> PathBuf {
        let path = self.0.join("policy.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Whether files that we make belong to root.
fn is_root(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = fs::metadata(path).unwrap().uid() == 0;
    if !root {
        eprintln!("SKIP: a policy file must belong to root");
    }
    root
}

fn fault(path: &std::path::Path) -> FileFault {
    match Policy::load(path) {
        Err(PolicyError::File(FileError::Untrusted { fault, .. })) => fault,
        other => panic!("{other:?}"),
    }
}

fn said(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_absent_file_is_no_policy() {
    let scratch = Scratch::new("absent");
    assert_eq!(Policy::load(&scratch.0.join("none")).unwrap(), None);
}

#[test]
fn a_link_that_leads_nowhere_refuses() {
    let scratch = Scratch::new("dangling");
    let path = scratch.0.join("policy.toml");
    symlink(scratch.0.join("gone"), &path).unwrap();
    let error = Policy::load(&path).unwrap_err();
    assert!(matches!(
        error,
        PolicyError::File(FileError::Unreadable { .. })
    ));
}

#[test]
fn a_directory_is_not_a_policy() {
    let scratch = Scratch::new("directory");
    assert_eq!(fault(&scratch.0), FileFault::NotRegular);
}

#[test]
fn a_file_of_roots_is_read() {
    let scratch = Scratch::new("good");
    let path = scratch.file(b"[[rule]]\naction = \"deny\"\n");
    if is_root(&path) {
        assert!(Policy::load(&path).unwrap().is_some());
    }
}

#[test]
fn a_file_that_others_may_write_is_not_believed() {
    let scratch = Scratch::new("writable");
    let path = scratch.file(b"");
    if !is_root(&path) {
        return;
    }
    for mode in [0o664, 0o646] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fault(&path), FileFault::Writable { mode });
    }
}

#[test]
fn a_strangers_file_is_not_believed() {
    let scratch = Scratch::new("stranger");
    let path = scratch.file(b"");
    if is_root(&path) {
        chown(&path, Some(1000), None).unwrap();
        assert_eq!(fault(&path), FileFault::NotRoots { uid: 1000 });
    }
}

#[test]
fn a_file_beyond_a_mebibyte_is_not_read() {
    let scratch = Scratch::new("large");
    let path = scratch.file(&vec![b'#'; 1024 * 1024 + 1]);
    if is_root(&path) {
        assert_eq!(fault(&path), FileFault::TooLarge);
    }
}

#[test]
fn a_syntax_error_is_placed() {
    assert!(said("[[rule]]\nuplink = [\"br0\"\n").starts_with("/p:"));
    assert!(said("[[rule]]\ncaller = runtime\n").starts_with("/p:2:10: "));
}

#[test]
fn an_unknown_key_is_placed() {
    let said = said("[[rule]]\naction = \"deny\"\nuplinks = \"br0\"\n");
    assert!(
        said.starts_with("/p:3:1: unknown field `uplinks`"),
        "{said}"
    );
}

#[test]
fn an_unknown_table_is_placed() {
    let said = said("# rules\n[[rules]]\n");
    assert!(said.starts_with("/p:2:3: unknown field `rules`"), "{said}");
}

#[test]
fn a_value_of_the_wrong_type_is_placed() {
    let said = said("[[rule]]\ncreate-bridge = \"yes\"\n");
    assert!(said.starts_with("/p:2:17: invalid type"), "{said}");
}

#[test]
fn a_wrong_element_of_a_list_is_placed() {
    let said = said("[[rule]]\nuplink = \"br0\"\ncidr = [\"10.0.0.0/8\", \"10.0.0.5/24\"]\n");
    assert_eq!(
        said,
        "/p:3:23: 10.0.0.5/24 names an address inside a network; maybe you meant 10.0.0.0/24"
    );
}

#[test]
fn bytes_that_are_not_text_are_placed() {
    let error = Policy::parse(std::path::Path::new("/p"), b"# \xc3\xa9\n# \xff\n").unwrap_err();
    assert_eq!(error.to_string(), "/p:2:3: not UTF-8");
}

#[test]
fn wrong_words_and_numbers_are_refused() {
    for line in [
        "action = \"permit\"",
        "caller = \"root\"",
        "caller = \"namespace:\"",
        "kind = \"tunnel\"",
        "kind = [\"any\"]",
        "mode = \"loud\"",
        "vlan = 0",
        "vlan = 4095",
        "vlan = \"20-10\"",
        "cidr = \"ten\"",
        "cidr = true",
        "mac = \"02:4\"",
        "mac = \"02:42*\"",
        "mac = \"02:42\"",
        "mtu = { most = 9000 }",
        "mtu = {}",
        "uplink = { max = 3 }",
        "metric = -1",
        "count = -1",
        "uplink = [1.5]",
        "uplink = \"\"",
    ] {
        let text = format!("[[rule]]\n{line}\n");
        let error = parse(&text).unwrap_err();
        let placed = matches!(
            error,
            PolicyError::File(FileError::Malformed { line: 2, .. })
        );
        assert!(placed, "{line}: {error:?}");
    }
}

#[test]
fn an_allow_rule_says_for_whom_and_where() {
    assert_eq!(
        said("\n[[rule]]\nuplink = \"br0\"\n"),
        "/p:2: an allow rule must list caller; \"any\" means all"
    );
    assert_eq!(
        said("[[rule]]\ncaller = \"any\"\n"),
        "/p:1: an allow rule must list uplink; \"any\" means all"
    );
}

#[test]
fn a_deny_rule_that_can_never_match_is_refused() {
    for line in ["uplink = []", "optional = false", "gateway = false"] {
        let error = parse(&format!("[[rule]]\naction = \"deny\"\n{line}\n")).unwrap_err();
        assert!(
            matches!(error, PolicyError::Flawed { line: 1, .. }),
            "{line}"
        );
    }
}

#[test]
fn a_limit_in_a_deny_rule_is_refused() {
    let error = said("[[rule]]\naction = \"deny\"\ncount = 3\n");
    assert_eq!(error, "/p:1: count is a limit of allow rules");
}

#[test]
fn the_packaged_example_is_a_policy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/policy.toml.example");
    let text = fs::read_to_string(path).unwrap();
    parse(&text).unwrap();
    // Every line that is commented out is right as well.
    let all: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("#:").map_or(line, str::trim_start))
        .collect();
    parse(&all.join("\n")).unwrap();
}
