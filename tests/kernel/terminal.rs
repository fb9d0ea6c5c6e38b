//! Colours and progress are for terminals, and text is for everybody.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;

use crate::commands::pipework;
use crate::support::lab::{PIPEWORK, ip, lab};

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program says on a terminal: stdout and stderr as they come.
fn on_a_terminal(words: &str, environment: &[(&str, &str)]) -> String {
    let pty = openpty(None, None).unwrap();
    let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let mut command = Command::new(PIPEWORK);
    command
        .args(words.split_whitespace())
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(end(&pty.slave))
        .stderr(end(&pty.slave));
    let mut child = command.spawn().unwrap();
    // Once nobody has the other end, reading ends (EIO).
    drop((command, pty.slave));
    let mut said = Vec::new();
    File::from(pty.master).read_to_end(&mut said).ok();
    child.wait().unwrap();
    String::from_utf8(said).unwrap().replace("\r\n", "\n")
}

fn elsewhere(words: &str) -> String {
    let mut command = Command::new(PIPEWORK);
    command.args(words.split_whitespace()).env("TERM", "xterm");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

const XTERM: (&str, &str) = ("TERM", "xterm");

#[test]
fn status_is_coloured_on_a_terminal_and_the_text_is_the_same_everywhere() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        lab.inside(&container, || ip("link set eth1 down"));
        for (words, coloured) in [
            ("check", "\x1b[33mweb eth1: it is down"),
            ("doctor policy", "\x1b[32mok     \x1b[0m  policy"),
            ("list", "\x1b[2mCONTAINER"),
        ] {
            let plain = elsewhere(words);
            assert!(!plain.contains('\x1b'), "{plain:?}");
            let shown = on_a_terminal(words, &[XTERM]);
            assert!(shown.contains(coloured), "{shown:?}");
            let bare: String = ["\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"]
                .iter()
                .fold(shown, |text, code| text.replace(code, ""));
            // How long ago something was may change in between.
            if words != "list" {
                assert_eq!(bare, plain);
            }
        }
    });
}

#[test]
fn who_wants_no_colours_has_none() {
    lab!(|_lab| {
        let unwanted: [&[(&str, &str)]; 3] =
            [&[XTERM, ("NO_COLOR", "1")], &[("TERM", "dumb")], &[]];
        for environment in unwanted {
            let shown = on_a_terminal("doctor policy", environment);
            assert!(!shown.contains('\x1b'), "{environment:?}: {shown:?}");
        }
        let empty = on_a_terminal("doctor policy", &[XTERM, ("NO_COLOR", "")]);
        assert!(empty.contains('\x1b'), "{empty:?}");
    });
}

#[test]
fn what_waits_for_an_address_says_so_on_a_terminal_and_wipes_it() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let pid = container.pid();
        // Nobody answers on this bridge.
        let words = format!("attach pid:{pid} bridge=br0 ip=dhcp dhcp.timeout=2s dhcp.keep=false");
        let shown = on_a_terminal(&words, &[XTERM]);
        assert!(shown.contains("waiting for an address ("), "{shown:?}");
        let (_, rest) = shown.rsplit_once("waiting for an address (").unwrap();
        assert!(rest.contains("\r\x1b[K"), "{shown:?}");
        assert!(rest.contains("pipework: "), "the report follows: {shown:?}");
        let dumb = on_a_terminal(&words, &[("TERM", "dumb")]);
        assert!(!dumb.contains("waiting for an address ("), "{dumb:?}");
    });
}

/// Reads what comes from the other end until `is_enough`, for as long as somebody
/// can be patient.
fn read_until(master: &OwnedFd, mut is_enough: impl FnMut(&str) -> bool) -> String {
    let end = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&said).replace("\r\n", "\n");
        if is_enough(&text) {
            return text;
        }
        assert!(Instant::now() < end, "{text:?}");
        let mut ready = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(100u8)).unwrap() > 0 {
            let mut bytes = [0; 4096];
            let count = nix::unistd::read(master, &mut bytes).unwrap();
            said.extend_from_slice(&bytes[..count]);
        }
    }
}

/// Ends with the test.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `list --watch` on a terminal of that kind.
fn watch(term: &str) -> (Watch, OwnedFd) {
    let pty = openpty(None, None).unwrap();
    let mut command = Command::new(PIPEWORK);
    command.args(["list", "--watch"]).env("TERM", term);
    command.stdin(Stdio::null()).stdout(pty.slave);
    (Watch(command.spawn().unwrap()), pty.master)
}

const CLEAR: &str = "\x1b[H\x1b[2J";

#[test]
fn a_list_that_is_watched_begins_at_the_top_of_a_screen_that_is_cleared() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        let (_watch, master) = watch("xterm");
        let first = read_until(&master, |said| said.contains("web "));
        assert!(first.starts_with(CLEAR), "{first:?}");
        assert_eq!(first.matches(CLEAR).count(), 1, "{first:?}");
        pipework("detach web").ok();
        // What was there is no more on the screen.
        let is_empty = |said: &str| {
            let screen = said.rsplit(CLEAR).next().unwrap();
            screen.contains("CONTAINER") && !screen.contains("web")
        };
        let next = read_until(&master, |said| said.contains(CLEAR) && is_empty(said));
        assert!(next.starts_with(CLEAR), "{next:?}");
    });
}

#[test]
fn a_list_that_is_watched_elsewhere_is_written_below_the_last() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        let (_watch, master) = watch("dumb");
        let twice = |said: &str| said.matches("web ").count() == 2;
        let said = read_until(&master, twice);
        assert!(!said.contains('\x1b'), "{said:?}");
    });
}
