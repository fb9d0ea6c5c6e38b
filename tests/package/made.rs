//! What `make package` leaves, run as it stands in the Makefile: only the compilation
//! is left out, for the program under test is there.

use crate::support::world::World;

/// Where it leaves them.
const FOLDER: &str = "/src/target/package";

/// Runs it, and returns the names of what is there then.
#[track_caller]
pub fn make_package(world: &World) -> Vec<String> {
    let line = "install -D -m 0755 /opt/pipework /src/target/release/pipework && \
                make --silent -C /src -o build package";
    world.sh(line).ok();
    let names = world.sh(&format!("ls {FOLDER}")).ok();
    names.lines().map(String::from).collect()
}

/// The first line of what a line of shell says.
#[track_caller]
fn said(world: &World, line: &str) -> String {
    world.sh(line).ok().trim().to_owned()
}

/// The version that the program says of itself.
fn version(world: &World) -> String {
    let text = world.sh("/opt/pipework version").ok();
    let mut words = text.split_whitespace();
    assert_eq!(words.next(), Some("pipework"), "{text}");
    words.next().unwrap().to_owned()
}

/// A file of each kind, called by name, version and machine as its kind has it.
#[track_caller]
pub fn assert_is_named(world: &World, made: &[String]) {
    let version = version(world);
    let rpm = format!("pipework-{version}-1.{}.rpm", said(world, "uname -m"));
    let machine = said(world, "dpkg --print-architecture");
    let deb = format!("pipework_{version}-1_{machine}.deb");
    assert_eq!(made, [rpm, deb]);
}

/// Whoever asks a package before it is installed hears what it is, and of whom.
#[track_caller]
pub fn assert_says_what_it_is(world: &World) {
    let version = version(world);
    let field = |name: &str| said(world, &format!("dpkg-deb -f {FOLDER}/*.deb {name}"));
    assert_eq!(field("Package"), "pipework");
    assert_eq!(field("Version"), format!("{version}-1"));
    assert!(field("Maintainer").contains('@'), "{}", field("Maintainer"));
    assert!(field("Description").starts_with("real network interfaces for containers\n"));
    // Static: it needs nothing of the system.
    assert_eq!(field("Depends"), "");
    let tag = |name: &str| {
        let line = format!("rpm -qp --qf '%{{{name}}}' {FOLDER}/*.rpm");
        said(world, &line)
    };
    assert_eq!(tag("NAME"), "pipework");
    assert_eq!(tag("VERSION"), version);
    assert_eq!(tag("RELEASE"), "1");
    assert_eq!(tag("LICENSE"), "Apache-2.0");
    assert_eq!(tag("SUMMARY"), "Real network interfaces for containers");
    assert!(tag("DESCRIPTION").starts_with("pipework plugs containers of podman, Docker,"));
    let needs = world.sh(&format!("rpm -qp --requires {FOLDER}/*.rpm")).ok();
    let of_others: Vec<_> = needs.lines().filter(|need| !is_rpms_own(need)).collect();
    assert_eq!(of_others, [""; 0]);
}

/// Its own features, and the shell of the scripts.
fn is_rpms_own(need: &str) -> bool {
    need.starts_with("rpmlib(") || need.starts_with("/bin/sh")
}

/// The program under test and the change log as they are, in both.
#[track_caller]
pub fn assert_holds_what_was_built(world: &World) {
    let digest = |path: &str| said(world, &format!("sha256sum <{path}")).replace("  -", "");
    let in_rpm = |path: &str| {
        let all = "rpm -qp --qf '[%{FILEDIGESTS} %{FILENAMES}\\n]'";
        let line = format!("{all} {FOLDER}/*.rpm | sed -n 's# {path}$##p'");
        said(world, &line)
    };
    let in_deb = |path: &str, through: &str| {
        let of_deb = format!("dpkg-deb --fsys-tarfile {FOLDER}/*.deb | tar -xO .{path}");
        said(world, &format!("{of_deb} | {through} | sha256sum")).replace("  -", "")
    };
    let program = digest("/opt/pipework");
    assert_eq!(in_rpm("/usr/bin/pipework"), program);
    assert_eq!(in_deb("/usr/bin/pipework", "cat"), program);
    let log = digest("/src/CHANGELOG.md");
    assert_eq!(in_rpm("/usr/share/doc/pipework/CHANGELOG.md"), log);
    let packed = "/usr/share/doc/pipework/changelog.gz";
    assert_eq!(in_deb(packed, "gzip -d"), log);
}

/// What tells both files from any others.
#[track_caller]
pub fn sums(world: &World) -> String {
    world.sh(&format!("sha256sum {FOLDER}/*")).ok()
}
