//! A change of the host that nobody confirms is taken back, whatever became of
//! whoever asked for it and of the guard.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pipework::sys::clock::seconds_since_boot;
use serde_json::{Value, json};

use crate::nic_state::furnish;
use crate::support::lab::{RECORDS, ip, ip_json, lab, run};
use crate::uplink::{Guards, is_recorded, printed, uplink, wait_for};

#[test]
fn a_bridge_that_nobody_confirms_is_gone_when_its_time_is_over() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 2s").ok();
        assert_eq!(Guards::all().len(), 1);
        wait_for("the guard", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the guard went back");
        wait_for("its end", || Guards::all().is_empty());
        let late = uplink("confirm br0").refused(19);
        assert!(late.contains("nothing waits to be confirmed"), "{late}");
    });
}

#[test]
fn a_confirmed_bridge_stays_and_its_guard_goes() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 4s").ok();
        uplink("confirm br0").ok();
        wait_for("the guard's end", || Guards::all().is_empty());
        std::thread::sleep(Duration::from_millis(4500));
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        assert_eq!(ip_json("link show eth0")[0]["master"], "br0");
    });
}

#[test]
fn nothing_waits_where_no_confirmation_is_wanted() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        wait_for("the guard's end", || Guards::all().is_empty());
    });
}

#[test]
fn a_guard_that_was_killed_is_replaced_by_the_next_command() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 4s").ok();
        Guards::kill();
        let said = printed(&uplink("list"));
        assert!(said.starts_with("br0  eth0  goes back in "), "{said}");
        assert_eq!(Guards::all().len(), 1);
        wait_for("the new guard", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the new guard went back");
    });
}

#[test]
fn a_killed_guard_whose_time_is_over_is_made_up_for_by_list_and_by_gc() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        for command in ["list", "gc"] {
            uplink("add br0 eth0 --confirm-within 1s").ok();
            Guards::kill();
            std::thread::sleep(Duration::from_millis(1200));
            match command {
                "gc" => assert_eq!(lab.gc().code(), Some(0)),
                _ => assert_eq!(printed(&uplink("list")), ""),
            }
            before.assert_equal(&lab.snapshot(), command);
        }
    });
}

#[test]
fn a_guard_is_out_of_reach_of_the_login_that_started_it() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        uplink("add br0 eth0").ok();
        let pid = Guards::all()[0];
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        // proc_pid_stat(5): fields 5 and 6 are process group and session.
        assert_eq!(
            (fields[2], fields[3]),
            (&*pid.to_string(), &*pid.to_string())
        );
        run("kill", &format!("-HUP {pid}"));
        run("kill", &format!("-INT {pid}"));
        for number in 0..3 {
            let end = fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
            assert_eq!(end, Path::new("/dev/null"));
        }
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let writable = Path::new("/sys/fs/cgroup/cgroup.procs").exists()
            || Path::new("/sys/fs/cgroup/systemd/cgroup.procs").exists();
        let own = format!("/pipework-uplink-{pid}");
        assert!(!writable || cgroups.contains(&own), "{cgroups}");
        assert_eq!(Guards::all(), [pid]);
        uplink("confirm").ok();
        wait_for("its end", || Guards::all().is_empty());
        for root in ["", "systemd/", "unified/"] {
            let cgroup = format!("/sys/fs/cgroup/{root}pipework-uplink-{pid}");
            wait_for("its cgroup's end", || !Path::new(&cgroup).exists());
        }
    });
}

/// The only uplink's record.
fn record() -> PathBuf {
    let mut entries = fs::read_dir("/run/pipework/uplinks").unwrap().flatten();
    entries.next().unwrap().path()
}

/// What it would say in another phase.
fn in_phase(phase: Value) -> Vec<u8> {
    let text = fs::read_to_string(record()).unwrap();
    let (version, body) = text.split_once('\n').unwrap();
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["phase"] = phase;
    format!("{version}\n{body}").into_bytes()
}

/// Replaces it at once.
fn write_record(bytes: &[u8]) {
    let path = record();
    let new = Path::new(RECORDS).join("written-by-a-test");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_guard_stays_although_what_seemed_broken_off_was_made_while_it_looked() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 60s").ok();
        let applying = in_phase(json!("applying"));
        let until = seconds_since_boot() + 2;
        let made = in_phase(json!({"unconfirmed": {"until": until}}));
        // Whoever reads a FIFO waits for what is written: so the guard sees what
        // was, and then, when it has the lock, what is.
        let fifo = Path::new(RECORDS).join("written-by-a-test");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        fs::rename(&fifo, record()).unwrap();
        let mut writer = None;
        wait_for("the guard to look", || {
            let mut options = fs::File::options();
            let options = options.write(true).custom_flags(libc::O_NONBLOCK);
            writer = options.open(record()).ok();
            writer.is_some()
        });
        write_record(&made);
        writer.unwrap().write_all(&applying).unwrap();
        wait_for("the guard to go back", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the guard went back");
    });
}

#[test]
fn a_guard_goes_back_although_its_record_could_not_be_read_for_a_while() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 3s").ok();
        let whole = fs::read(record()).unwrap();
        write_record(b"");
        std::thread::sleep(Duration::from_secs(1));
        write_record(&whole);
        wait_for("the guard to go back", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the guard went back");
    });
}

#[test]
fn a_confirmation_that_comes_too_late_is_refused_and_the_nic_has_its_place_again() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 60s").ok();
        Guards::kill();
        write_record(&in_phase(json!({"unconfirmed": {"until": 0}})));
        let late = uplink("confirm br0").refused(19);
        assert!(
            late.contains("br0 was not confirmed in time and goes back"),
            "{late}"
        );
        assert_eq!(printed(&uplink("list")), "");
        before.assert_equal(&lab.snapshot(), "after list");
    });
}
