//! What the hook serves and what it refuses, whichever runtime calls it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{
    Container, Lab, Outcome, PIPEWORK, RECORDS, annotation_map, feed, has, hook, ip_json, lab,
    sleeper,
};
use crate::support::skip;

const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

fn has_eth1(lab: &Lab, container: &Container) -> bool {
    let links = lab.inside(container, || ip_json("link show"));
    links.to_string().contains("\"eth1\"")
}

/// Runs the hook without a stage.
fn unstaged(state: &Value) -> Outcome {
    hook(&[], state.to_string().as_bytes())
}

fn started(state: &Value) -> Outcome {
    hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
}

#[track_caller]
fn assert_refused(outcome: &Outcome, code: i32, host: &Snapshot, lab: &Lab) {
    outcome.refused(code);
    host.assert_equal(&lab.snapshot(), "host");
    assert!(Records::take().is_empty());
}

#[test]
fn a_wrong_annotation_is_refused_with_code_10() {
    lab!(|lab| {
        let host = lab.snapshot();
        let outcome = lab.attach(&lab.any_container(), &["pipework.brigde=br0"]);
        assert_refused(&outcome, 10, &host, lab);
        let text = outcome.stderr();
        assert!(text.contains("did you mean pipework.bridge"), "{text}");
    });
}

#[test]
fn stages_inside_the_container_are_refused_with_code_11() {
    lab!(|lab| {
        let host = lab.snapshot();
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        for stage in ["createContainer", "startContainer", "poststart", "nonsense"] {
            let outcome = hook(&["--stage", stage], state.as_bytes());
            assert_refused(&outcome, 11, &host, lab);
        }
    });
}

#[test]
fn a_rootless_runtime_is_refused_with_code_13() {
    lab!(|lab| {
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", PIPEWORK, "hook"]);
        let probe = Command::new("unshare")
            .args(["--user", "--map-root-user", "true"])
            .output();
        if !probe.is_ok_and(|output| output.status.success()) {
            skip!("kernel has no user namespaces for us");
        }
        feed(&mut command, state.as_bytes()).refused(13);
        assert!(!has_eth1(lab, &container));
    });
}

#[test]
fn the_network_of_the_host_is_refused_with_code_14() {
    lab!(|lab| {
        let host = lab.snapshot();
        let container = lab.any_container();
        let mut state = lab.state(&container, &ASKED);
        // A process of this thread's namespace, which is the hook's own.
        let mut guest = sleeper();
        state["pid"] = Value::from(guest.id());
        let outcome = started(&state);
        guest.kill().unwrap();
        guest.wait().unwrap();
        assert_refused(&outcome, 14, &host, lab);
    });
}

#[test]
fn a_state_without_a_process_is_refused_with_code_15() {
    lab!(|lab| {
        let host = lab.snapshot();
        let mut dead = lab.any_container();
        let mut state = lab.state(&dead, &ASKED);
        dead.kill();
        assert_refused(&started(&state), 15, &host, lab);
        for pid in [json!(0), json!(1), json!(-1), Value::Null] {
            state["pid"] = pid;
            assert_refused(&started(&state), 15, &host, lab);
        }
        state.as_object_mut().unwrap().remove("pid");
        assert_refused(&started(&state), 15, &host, lab);
    });
}

#[test]
fn a_taken_interface_name_is_refused_and_a_free_one_named() {
    lab!(|lab| {
        lab.bridge("br0");
        let host = lab.snapshot();
        let container = lab.any_container();
        lab.inside(&container, || {
            crate::support::lab::ip("link add eth1 type bridge");
        });
        let outcome = lab.attach(&container, &ASKED);
        assert_refused(&outcome, 19, &host, lab);
        assert!(outcome.stderr().contains("eth2"), "{}", outcome.stderr());
    });
}

#[test]
fn a_store_that_others_may_write_to_is_refused_with_code_20() {
    lab!(|lab| {
        lab.bridge("br0");
        std::fs::create_dir(RECORDS).unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(RECORDS, open).unwrap();
        lab.attach(&lab.any_container(), &ASKED).refused(20);
    });
}

#[test]
fn without_a_stage_creating_and_created_with_a_pid_attach() {
    lab!(|lab| {
        lab.bridge("br0");
        for status in ["creating", "created"] {
            let container = lab.any_container();
            let asked = ["pipework.bridge=br0"];
            let mut state = lab.state(&container, &asked);
            state["status"] = Value::from(status);
            unstaged(&state).ok();
            assert!(has_eth1(lab, &container), "{status}");
        }
    });
}

#[test]
fn without_a_stage_stopped_without_a_pid_detaches() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let host = lab.snapshot();
        let container = lab.any_container();
        let mut state = lab.state(&container, &ASKED);
        unstaged(&state).ok();
        container.end();
        state["status"] = Value::from("stopped");
        state.as_object_mut().unwrap().remove("pid");
        unstaged(&state).ok();
        host.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn without_a_stage_what_could_mean_both_is_refused() {
    lab!(|lab| {
        let host = lab.snapshot();
        let container = lab.any_container();
        let mut state = lab.state(&container, &ASKED);
        for status in ["stopped", "running"] {
            state["status"] = Value::from(status);
            assert_refused(&unstaged(&state), 11, &host, lab);
        }
    });
}

#[test]
fn a_restored_container_is_attached_although_its_status_is_stopped() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let mut state = lab.state(&container, &ASKED);
        state["status"] = Value::from("stopped");
        started(&state).ok();
        assert!(has_eth1(lab, &container));
    });
}

#[test]
fn the_states_of_crun_runc_and_youki_are_understood() {
    lab!(|lab| {
        lab.bridge("br0");
        let annotations = annotation_map(&["pipework.bridge=br0"]);
        let states = |id: &str, pid: u32| {
            [
                // crun: version 1.0, the root, several lines.
                json!({ "ociVersion": "1.0", "id": id, "pid": pid, "root": "/r/rootfs",
                    "bundle": "/r", "status": "created", "annotations": annotations }),
                json!({ "ociVersion": "1.2.0", "id": id, "status": "creating", "pid": pid,
                    "bundle": "/r", "annotations": annotations }),
                json!({ "ociVersion": "v1.0.2", "id": id, "status": "created", "pid": pid,
                    "bundle": "/r", "annotations": annotations, "created": "2026-01-01T00:00:00Z",
                    "creator": 0, "useSystemd": false, "cleanUpIntelRdtSubdirectory": null }),
            ]
        };
        for number in 0..3 {
            let container = lab.any_container();
            let state = &states(&container.id, container.pid())[number];
            let text = serde_json::to_string_pretty(state).unwrap();
            hook(&["--stage", "createRuntime"], text.as_bytes()).ok();
            hook(&["--stage=prestart"], text.as_bytes()).ok();
            assert!(has_eth1(lab, &container), "{text}");
        }
    });
}

#[test]
fn blocked_signals_and_a_umask_of_zero_change_nothing() {
    if !has("env", "--block-signal=USR1") {
        skip!("env cannot block signals");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let line = "umask 0; exec \"$0\" hook --stage createRuntime";
        let mut command = Command::new("env");
        command.args(["--block-signal", "sh", "-c", line, PIPEWORK]);
        feed(&mut command, state.as_bytes()).ok();
        let records = Records::take();
        let paths = records.of("attachments");
        let directory = std::path::Path::new(paths[0]).parent().unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(paths[0].as_ref()), 0o600);
        assert_eq!((mode(directory), mode(RECORDS.as_ref())), (0o700, 0o700));
    });
}

#[test]
fn closed_output_does_not_matter_and_closed_input_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let sh = |line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line, PIPEWORK]);
            feed(&mut command, state.as_bytes())
        };
        let closed = sh("exec \"$0\" hook --stage createRuntime <&- >&- 2>&-");
        assert_eq!(closed.code(), Some(11));
        assert!(!has_eth1(lab, &container));
        sh("exec \"$0\" hook --stage createRuntime >&- 2>&-").ok();
        assert!(has_eth1(lab, &container));
    });
}

#[test]
fn a_state_that_comes_in_pieces_is_read_to_its_end() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let mut run = Command::new(PIPEWORK)
            .args(["hook", "--stage", "createRuntime"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = run.stdin.take().unwrap();
        for piece in state.as_bytes().chunks(state.len() / 3) {
            stdin.write_all(piece).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        drop(stdin);
        assert!(run.wait().unwrap().success());
        assert!(has_eth1(lab, &container));
    });
}

#[test]
fn a_container_whose_name_nobody_knows_is_told_how_to_get_one() {
    lab!(|lab| {
        lab.bridge("br0");
        // As engines draw their ids; no engine's files tell of this one.
        let container = lab.container(&"a1".repeat(32));
        let bridge = "pipework.bridge=br0";
        let advice = "pipework.name gives it one";
        let named = lab.attach(&container, &[bridge, "pipework.name=web"]);
        assert!(!named.ok().stderr().contains(advice), "{}", named.stderr());
        let unnamed = lab.attach(&lab.container(&"b2".repeat(32)), &[bridge]);
        assert!(
            unnamed.ok().stderr().contains(advice),
            "{}",
            unnamed.stderr()
        );
    });
}

/// A user namespace that owns its network, as an LXC container has it: a bridge,
/// a container on it, and its end.
const IN_LXC: &str = r#"
set -e
mount -t tmpfs tmpfs /run
mkfifo /run/ready
ip link add br0 type bridge
ip link set br0 up
unshare --net setpriv --pdeathsig KILL sh -c 'ip link set lo up; echo >/run/ready; exec sleep 600' &
pid=$!
trap 'kill $pid' EXIT
read -r _ </run/ready
state() {
    printf '{"ociVersion": "1.0.2", "id": "web", "bundle": "/run/web", "status": "%s", "pid": %s,
        "annotations": {"pipework.bridge": "br0", "pipework.ip": "10.0.0.5/24"}}' "$@"
}
state creating $pid | "$0" hook --stage createRuntime
nsenter --net=/proc/$pid/ns/net ip -o -4 addr show eth1
trap - EXIT
kill $pid
wait $pid || true
state stopped 0 | "$0" hook --stage poststop
find /run/pipework/attachments -type f
ip -o link show master br0
"#;

#[test]
fn a_runtime_in_a_user_namespace_that_owns_its_network_is_served() {
    lab!(|_lab| {
        let own = ["--user", "--map-root-user", "--net", "--mount"];
        let probe = Command::new("unshare").args(own).arg("true").output();
        if !probe.is_ok_and(|output| output.status.success()) {
            skip!("kernel has no user namespaces for us");
        }
        let mut command = Command::new("unshare");
        command.args(own).args(["sh", "-c", IN_LXC, PIPEWORK]);
        let outcome = feed(&mut command, b"");
        let seen = String::from_utf8_lossy(&outcome.ok().0.stdout);
        // One line: nothing is left at the end.
        assert_eq!(seen.lines().count(), 1, "{seen}");
        assert!(seen.contains("eth1    inet 10.0.0.5/24"), "{seen}");
    });
}

#[test]
fn the_last_report_is_kept_until_a_start_goes_well() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let reports = || {
            std::fs::read_dir(format!("{RECORDS}/reports"))
                .unwrap()
                .count()
        };
        lab.attach(&container, &["pipework.brigde=br0"]).refused(10);
        assert_eq!(reports(), 1);
        lab.attach(&container, &ASKED).ok();
        assert_eq!(reports(), 0);
    });
}
