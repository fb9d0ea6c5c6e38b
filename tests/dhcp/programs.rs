//! A client of somebody else's that asks in our own one's place.

use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Hardware, MessageType};

use crate::plain::{addresses, alone, routes};
use crate::support::dhcp_server::{GIVEN, SERVER, Scripted, ordinary};
use crate::support::lab::{Lab, PIPEWORK, feed, ip_json, lab, run};
use crate::support::skip;
use crate::support::world::root;

/// A folder of the lab's own that only root can write to.
const FOLDER: &str = "/etc/pipework/programs";

fn allow(path: &str) {
    fs::create_dir_all(FOLDER).unwrap();
    let rule = format!(
        "[[rule]]\ncaller = \"runtime\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\ndynamic = [\"dhcp\"]\ndhcp = \"any\"\n\
         wait = \"any\"\ndefault-route = true\ndhcp-programs = [\"{path}\"]\n"
    );
    fs::write("/etc/pipework/policy.toml", rule).unwrap();
    fs::set_permissions("/etc/pipework/policy.toml", Permissions::from_mode(0o644)).unwrap();
}

/// A script in the place of a client, and the annotation that names it.
fn script(name: &str, text: &str) -> String {
    let path = format!("{FOLDER}/{name}");
    allow(&path);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    format!("pipework.dhcp.program={path}")
}

/// What a script tells that it runs by, which can write to no file: a pipe.
struct Told(File);

impl Told {
    const PIPE: &str = "/etc/pipework/programs/ran";

    fn new() -> Self {
        fs::create_dir_all(FOLDER).unwrap();
        mkfifo(Self::PIPE, Mode::from_bits_truncate(0o600)).unwrap();
        let mut options = File::options();
        let options = options.read(true).write(true).custom_flags(O_NONBLOCK);
        Self(options.open(Self::PIPE).unwrap())
    }

    fn has_run(&mut self) -> bool {
        self.0.read(&mut [0]).is_ok_and(|bytes| bytes > 0)
    }
}

/// Processes with `mark` among their words.
fn marked(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let words = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let words = words.map(|words| String::from_utf8_lossy(&words).into_owned());
    words.filter(|words| words.contains(mark)).count()
}

fn gets_a_lease(lab: &Lab, path: &str) {
    allow(path);
    let machine = lab.lan("br0");
    let server = Scripted::on(lab, &machine, |message, _| {
        ordinary(message, |m| {
            m.options.set(code::INTERFACE_MTU, 1400_u16.to_be_bytes());
            m.options.set(
                code::CLASSLESS_ROUTES,
                vec![16, 10, 9, 10, 0, 0, 3, 0, 10, 0, 0, 2],
            );
        })
    });
    let container = lab.container("web");
    let program = format!("pipework.dhcp.program={path}");
    // Its own, by which nobody else's processes are taken for ours.
    let name = format!("web{}", std::process::id());
    let host_name = format!("pipework.dhcp.hostname={name}");
    lab.attach(&container, &alone(&[&program, &host_name])).ok();
    let found = addresses(lab, &container);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["local"], GIVEN.to_string());
    assert_eq!(found[0]["prefixlen"], 24);
    let valid = found[0]["valid_life_time"].as_u64().unwrap();
    assert!((3000..=3600).contains(&valid), "{valid}");
    assert_eq!(
        routes(lab, &container),
        [
            format!("default via {SERVER}"),
            "10.0.0.0/24 via link".to_owned(),
            "10.9.0.0/16 via 10.0.0.3".to_owned()
        ]
    );
    let link = lab.inside(&container, || ip_json("link show dev eth1"));
    assert_eq!(link[0]["mtu"], 1400);
    // Who asked is who our own client would have been, so that it can renew.
    let request = server.first(MessageType::Request);
    let Some(Hardware::Ethernet(mac)) = request.hardware else {
        panic!("{request:?}");
    };
    let id = [&[1], &mac[..]].concat();
    assert_eq!(request.options.get(code::CLIENT_ID), Some(&id[..]));
    assert_eq!(request.options.get(code::HOST_NAME), Some(name.as_bytes()));
    assert_eq!(marked(&format!("hostname:{name}")), 0);
    assert!(!Path::new("/run/pipework-dhcp-report").exists());
}

#[test]
fn a_program_that_policy_lists_asks_and_leaves_nothing_but_its_lease() {
    lab!(|lab| {
        let Ok(root) = root("trixie") else {
            skip!("there is no Debian root with busybox");
        };
        fs::create_dir_all(FOLDER).unwrap();
        let path = format!("{FOLDER}/udhcpc");
        symlink(format!("{root}/usr/bin/busybox"), &path).unwrap();
        gets_a_lease(lab, &path);
    });
}

#[test]
fn a_program_that_policy_does_not_list_is_not_run() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (container, mut told) = (lab.container("web"), Told::new());
        let asked = script("dhclient", &format!("echo > {}", Told::PIPE));
        let others = "pipework.dhcp.program=/usr/sbin/dhclient";
        let text = lab.attach(&container, &alone(&[others])).refused(12);
        assert!(text.contains("allows running /usr/sbin/dhclient"), "{text}");
        fs::remove_file("/etc/pipework/policy.toml").unwrap();
        let text = lab.attach(&container, &alone(&[&asked])).refused(12);
        assert!(text.contains("dhcp-programs"), "{text}");
        assert!(!told.has_run());
    });
}

#[test]
fn a_program_that_others_may_write_to_is_not_run() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let mut told = Told::new();
        let asked = script("udhcpc", &format!("echo > {}", Told::PIPE));
        let writable = Permissions::from_mode(0o777);
        fs::set_permissions(format!("{FOLDER}/udhcpc"), writable).unwrap();
        let container = lab.container("web");
        let text = lab.attach(&container, &alone(&[&asked])).refused(22);
        assert!(text.contains("written by others than root"), "{text}");
        assert!(!told.has_run());
    });
}

#[test]
fn a_program_that_is_late_is_killed_with_all_that_it_started() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (mark, mut told) = (format!("{}.3141", std::process::id()), Told::new());
        let pipe = Told::PIPE;
        let asked = script(
            "dhcpcd",
            &format!("echo > {pipe}; setsid sleep {mark} & (sleep {mark} &) ; sleep {mark}"),
        );
        let (host, container) = (lab.snapshot(), lab.container("web"));
        let guest = lab.snapshot_of(&container);
        let all = alone(&[&asked, "pipework.dhcp.timeout=10s"]);
        let text = lab.attach(&container, &all).refused(22);
        assert!(text.contains("it had none within 10 s"), "{text}");
        assert!(told.has_run());
        assert_eq!(marked(&mark), 0);
        assert_eq!(lab.snapshot(), host);
        assert_eq!(lab.snapshot_of(&container), guest);
    });
}

/// Also of one that has become somebody else, whom the kernel does not kill with us.
#[test]
fn a_program_ends_with_a_start_that_is_killed() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let (mark, mut told) = (format!("{}.2718", std::process::id()), Told::new());
        let pipe = Told::PIPE;
        let asked = script(
            "dhcpcd",
            &format!("echo > {pipe}; exec setpriv --reuid 65534 --clear-groups sleep {mark}"),
        );
        let container = lab.container("web");
        let mut start = lab.begin(&container, &alone(&[&asked, "pipework.dhcp.timeout=40s"]));
        let end = Instant::now() + Duration::from_secs(30);
        while !told.has_run() {
            assert!(Instant::now() < end, "never started");
            sleep(Duration::from_millis(20));
        }
        start.kill().unwrap();
        start.wait().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while marked(&mark) > 0 {
            assert!(Instant::now() < end, "it outlives the start");
            sleep(Duration::from_millis(20));
        }
        container.end();
        lab.gc().ok();
    });
}

#[test]
fn a_name_that_a_program_could_take_for_an_option_is_refused() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = script("dhcpcd", "exit 3");
        let container = lab.container("web");
        let all = alone(&[&asked, "pipework.ifname=-jlog"]);
        let text = lab.attach(&container, &all).refused(10);
        assert!(text.contains("for an option"), "{text}");
    });
}

#[test]
fn a_program_that_ends_without_a_lease_is_told_as_that() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = script("dhclient", "exit 3");
        let container = lab.container("web");
        let text = lab.attach(&container, &alone(&[&asked])).refused(22);
        assert!(text.contains("dhclient got no lease for eth1"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    });
}

/// Whoever ignores SIGCHLD leaves that to all that it starts (execve(2)), and then
/// nobody can ask how a process ended.
#[test]
fn a_program_is_waited_for_although_whoever_starts_us_waits_for_nobody() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = script("dhclient", "sh -c 'exit 5'; exit $?");
        let container = lab.container("web");
        let state = lab.state(&container, &alone(&[&asked])).to_string();
        let mut start = Command::new("env");
        start.args(["--ignore-signal=CHLD", PIPEWORK]);
        start.args(["hook", "--stage", "createRuntime"]);
        let text = feed(&mut start, state.as_bytes()).refused(22);
        assert!(text.contains("exit status: 5"), "{text}");
    });
}

#[test]
fn a_program_can_write_to_nothing_but_what_is_its_own() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        run("mount", "-t tmpfs tmpfs /var");
        for database in ["/var/lib/dhcpcd", "/var/db/dhcpcd", "/var/tmp"] {
            fs::create_dir_all(database).unwrap();
        }
        let text = format!(
            "(echo >{FOLDER}/left || mkdir /var/db/other || echo >/var/tmp/left) 2>/run/said && exit 4
             echo >/run/own && echo >/var/lib/dhcpcd/own && echo >/var/db/dhcpcd/own && exit 5"
        );
        let asked = script("dhcpcd", &text);
        let (host, container) = (lab.snapshot(), lab.container("web"));
        let text = lab.attach(&container, &alone(&[&asked])).refused(22);
        assert!(text.contains("exit status: 5"), "{text}");
        assert_eq!(lab.snapshot(), host);
        for own in ["/run", "/var/lib/dhcpcd", "/var/db/dhcpcd"] {
            assert!(!Path::new(own).join("own").exists(), "{own}");
        }
    });
}

/// More than a pipe takes in one piece beside what others write (`PIPE_BUF`).
#[test]
fn a_program_may_report_hundreds_of_routes() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let text = "routes=$(i=0; while [ $i -lt 250 ]; do i=$((i+1))
                echo -n \"10.9.$i.0/24 10.0.0.3 \"; done)
            export new_ip_address=10.0.0.5 new_subnet_mask=255.255.255.0 reason=BOUND
            export new_dhcp_server_identifier=10.0.0.2 new_dhcp_lease_time=3600
            export new_classless_static_routes=\"$routes\"
            /run/pipework-dhcp-report; exec sleep 60";
        let asked = script("dhcpcd", text);
        let container = lab.container("web");
        lab.attach(&container, &alone(&[&asked])).ok();
        // As many of them as of anybody's, and that of the address.
        assert_eq!(routes(lab, &container).len(), 65);
    });
}
