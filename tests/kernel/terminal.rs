//! Colours and progress are for terminals, and text is for everybody.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::support::lab::{PIPEWORK, ip, lab};

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
