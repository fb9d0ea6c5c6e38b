//! Open vSwitch that is down, hangs, may not be written to, listens elsewhere, or
//! is not installed: the start says so, and leaves nothing for ever.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pipework::apply::apply;

use crate::ovs_bridge::begin;
use crate::ovs_ends::{ASKED, Before};
use crate::refusal::with_plan;
use crate::support::lab::{Outcome, ip, lab, run};
use crate::support::ovs::{Ovs, SOCKET, eventually, ovs};
use crate::support::skip;

#[test]
fn without_ovs_vswitchd_the_start_is_refused_in_time_and_taken_back() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        ovs.kill_switch();
        let begin = Instant::now();
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{:?}",
            begin.elapsed()
        );
        assert!(text.contains("ovs-vswitchd is not running"), "{text}");
        assert!(text.contains("Nothing is left behind"), "{text}");
        before.is_now(lab, &ovs, "after the refusal");
    });
}

#[test]
fn a_switch_that_starts_a_moment_later_is_waited_for() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.kill_switch();
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let hook = begin(&state);
        eventually("it waits", || {
            ovs.vsctl("--no-wait list-ports ovs0").starts_with("pw")
        });
        ovs.start_switch();
        let outcome = Outcome(hook.wait_with_output().unwrap());
        outcome.ok();
    });
}

#[test]
fn a_device_that_ovs_vswitchd_cannot_use_is_an_error_in_its_words() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        if ovs.in_kernel {
            skip!("the kernel's datapath is there, which this needs to be missing");
        }
        let before = Before::take(lab, &ovs);
        // By default bridges are switched in the kernel.
        let text = lab
            .attach(&lab.any_container(), &["pipework.ovs=ovs7"])
            .refused(16);
        assert!(
            text.contains("could not make ovs7, whose datapath is of type system"),
            "{text}"
        );
        assert!(text.contains("modprobe openvswitch"), "{text}");
        before.is_now(lab, &ovs, "after the refusal");
    });
}

#[test]
fn without_a_database_the_start_is_refused_and_says_where_it_should_be() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        ovs.kill_server();
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            text.contains(&format!("nobody listens on {SOCKET}")),
            "{text}"
        );
        assert!(text.contains("Nothing is left behind"), "{text}");
        fs::remove_file(SOCKET).unwrap();
        let text = lab
            .attach(&lab.any_container(), &["pipework.bridge=ovs9"])
            .refused(19);
        assert!(
            text.contains("ovs9 is asked for as a bridge of Open vSwitch"),
            "{text}"
        );
        ovs.start_server(&[]);
        before.is_now(lab, &ovs, "after the refusals");
    });
}

/// Makes it a backup server, which takes no changes, whether its active one answers or
/// not.
fn make_read_only(ovs: &Ovs) {
    ovs.tell_server(&[
        "ovsdb-server/set-active-ovsdb-server",
        "unix:/run/openvswitch/none.sock",
    ]);
    ovs.tell_server(&["ovsdb-server/connect-active-ovsdb-server"]);
}

fn make_writable(ovs: &Ovs) {
    ovs.tell_server(&["ovsdb-server/disconnect-active-ovsdb-server"]);
}

#[test]
fn a_read_only_database_is_refused_as_such() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        make_read_only(&ovs);
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            text.contains("the database of Open vSwitch is read-only"),
            "{text}"
        );
        assert!(text.contains("Nothing is left behind"), "{text}");
        make_writable(&ovs);
        before.is_now(lab, &ovs, "after the refusal");
    });
}

#[test]
fn a_container_that_ends_while_the_database_is_read_only_is_cleared_up_later() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        make_read_only(&ovs);
        container.end();
        let ended = lab.poststop("web");
        let said = "the database of Open vSwitch is read-only";
        assert!(ended.stderr().contains(said), "{}", ended.stderr());
        ended.ok();
        make_writable(&ovs);
        assert_eq!(ovs.ports("ovs0").len(), 1);
        lab.gc().ok();
        before.is_now(lab, &ovs, "after gc");
    });
}

#[test]
fn a_database_that_is_elsewhere_is_found_by_the_setting() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.kill_switch();
        ovs.kill_server();
        fs::remove_file(SOCKET).unwrap();
        ovs.start_server_at("/run/elsewhere.sock", &[]);
        fs::create_dir_all("/etc/pipework").unwrap();
        let set = |text: &str| fs::write("/etc/pipework/config.toml", text).unwrap();
        set("ovsdb = \"/run/elsewhere.sock\"\n");
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            text.contains("ovs-vswitchd is not running"),
            "the database answers: {text}"
        );
        set("ovsbd = \"/run/elsewhere.sock\"\n");
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            text.contains("/etc/pipework/config.toml:1:1: unknown field `ovsbd`"),
            "{text}"
        );
        set("ovsdb = \"/run/elsewhere.sock\"\n");
        run("chmod", "o+w /etc/pipework/config.toml");
        let text = lab.attach(&lab.any_container(), &ASKED).refused(16);
        assert!(
            text.contains("may be written by others than root"),
            "{text}"
        );
    });
}

#[test]
fn a_server_that_dies_during_a_start_leaves_a_record_that_gc_settles() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        // Nobody takes the port over, so that the hook waits.
        run("kill", &format!("-STOP {}", ovs.switch_pid()));
        let container = lab.container("web");
        let hook = begin(&lab.state(&container, &ASKED).to_string());
        eventually("the row is there", || {
            fs::read_to_string("/run/openvswitch/conf.db")
                .unwrap()
                .contains("netns-cookie")
        });
        std::thread::sleep(Duration::from_millis(100));
        ovs.kill_server();
        let text = Outcome(hook.wait_with_output().unwrap()).refused(17);
        assert!(text.contains("closed the connection"), "{text}");
        assert!(text.contains("left: the port pw"), "{text}");
        ovs.kill_switch();
        ovs.start_server(&[]);
        ovs.start_switch();
        container.end();
        lab.gc().ok();
        before.is_now(lab, &ovs, "after gc");
    });
}

#[test]
fn a_server_that_is_restarted_during_a_start_is_waited_for() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.kill_switch();
        let container = lab.container("web");
        let hook = begin(&lab.state(&container, &ASKED).to_string());
        eventually("the row is there", || {
            ovs.vsctl("--no-wait list-ports ovs0").starts_with("pw")
        });
        ovs.kill_server();
        std::thread::sleep(Duration::from_millis(300));
        ovs.start_server(&[]);
        ovs.start_switch();
        Outcome(hook.wait_with_output().unwrap()).ok();
        assert_eq!(ovs.ports("ovs0").len(), 1);
    });
}

#[test]
fn a_server_that_hangs_costs_no_more_than_the_deadline() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.any_container();
        run("kill", &format!("-STOP {}", ovs.server_pid()));
        let time = Duration::from_secs(1);
        let begin = Instant::now();
        let error = with_plan(&container, &ASKED, time, async |plan, kernel| {
            apply(plan, Vec::new(), (), kernel)
                .await
                .expect_err("nobody answers")
        });
        assert!(error.is_deadline(), "{error}");
        // What may have been done is tried to take back, for ten seconds.
        assert_eq!(error.left.len(), 1, "{:?}", error.left);
        assert!(
            begin.elapsed() < Duration::from_secs(15),
            "{:?}",
            begin.elapsed()
        );
        run("kill", &format!("-CONT {}", ovs.server_pid()));
    });
}

/// It runs, holds its lock, and takes nothing over.
#[test]
fn a_switch_that_hangs_costs_no_more_than_the_deadline_and_leaves_no_row() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let container = lab.any_container();
        let guest = lab.snapshot_of(&container);
        run("kill", &format!("-STOP {}", ovs.switch_pid()));
        let time = Duration::from_secs(3);
        let begin = Instant::now();
        let error = with_plan(&container, &ASKED, time, async |plan, kernel| {
            apply(plan, Vec::new(), (), kernel)
                .await
                .expect_err("nobody takes it over")
        });
        assert!(begin.elapsed() < time + Duration::from_secs(10));
        assert!(error.is_deadline(), "{error}");
        let said = "ovs-vswitchd has not taken";
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.left.is_empty(), "{:?}", error.left);
        run("kill", &format!("-CONT {}", ovs.switch_pid()));
        before.is_now(lab, &ovs, "afterwards");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn a_container_that_ends_while_the_database_is_down_is_cleared_up_later() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let before = Before::take(lab, &ovs);
        let container = lab.container("web");
        lab.attach(&container, &ASKED).ok();
        ovs.kill_switch();
        ovs.kill_server();
        container.end();
        lab.poststop("web");
        ovs.start_server(&[]);
        ovs.start_switch();
        assert_eq!(ovs.ports("ovs0").len(), 1);
        lab.gc().ok();
        before.is_now(lab, &ovs, "after gc");
    });
}

#[test]
fn while_the_database_is_silent_the_first_argument_is_not_taken_for_a_nic() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.kill_server();
        let container = lab.any_container();
        let text = lab.attach(&container, &["pipework.link=ovs0"]).refused(19);
        assert!(
            text.contains("ovs0 may be a bridge of Open vSwitch, which does not answer"),
            "{text}"
        );
    });
}

#[test]
fn an_optional_interface_is_left_out_where_open_vswitch_is_down() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        lab.bridge("br0");
        let rows = ovs.rows();
        ovs.kill_switch();
        let container = lab.any_container();
        let asked = [
            "pipework.a0.ovs=ovs0",
            "pipework.a0.optional=true",
            "pipework.b0.bridge=br0",
        ];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || {
            let links = ip("-br link");
            assert!(links.contains("b0@") && !links.contains("a0@"), "{links}");
        });
        assert_eq!(rows, ovs.rows());
    });
}

#[test]
fn a_host_without_open_vswitch_says_that_it_is_needed() {
    lab!(|lab| {
        let container = lab.any_container();
        assert!(!Path::new(SOCKET).exists());
        for asked in [
            "pipework.ovs=ovs0",
            "pipework.bridge=ovs0",
            "pipework.link=ovs0",
        ] {
            let text = lab.attach(&container, &[asked]).refused(19);
            assert!(
                text.contains("Open vSwitch, which is not installed here"),
                "{text}"
            );
            assert!(text.contains("install openvswitch-switch"), "{text}");
        }
    });
}
