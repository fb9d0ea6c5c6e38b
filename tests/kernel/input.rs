//! Bad input of every kind: refused with a documented code, a report of ours
//! and nothing changed, and never a panic.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, hook, lab};

/// The lab before any bad input.
struct Scene<'a> {
    lab: &'a Lab,
    container: Container,
    host: Snapshot,
    guest: Snapshot,
    codes: Vec<i32>,
}

impl<'a> Scene<'a> {
    fn set(lab: &'a Lab) -> Self {
        lab.bridge("br0");
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let table = Command::new(PIPEWORK).arg("exit-codes").output().unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        let codes = table.lines().filter_map(|line| {
            let code = line.split_whitespace().next()?.parse().ok()?;
            // Those of an attachment.
            (2..100).contains(&code).then_some(code)
        });
        Self {
            lab,
            codes: codes.collect(),
            container,
            host,
            guest,
        }
    }

    fn state(&self) -> Value {
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        self.lab.state(&self.container, &asked)
    }

    #[track_caller]
    fn refuse(&self, stdin: &[u8]) -> Outcome {
        let outcome = hook(&["--stage", "createRuntime"], stdin);
        let text = outcome.stderr();
        let shown = String::from_utf8_lossy(&stdin[..stdin.len().min(200)]);
        let code = outcome.code();
        assert!(
            code.is_some_and(|code| self.codes.contains(&code)),
            "{code:?} for {shown}: {text}"
        );
        assert!(text.starts_with("pipework: "), "{shown}: {text}");
        assert!(!text.contains("panicked"), "{shown}: {text}");
        outcome
    }

    #[track_caller]
    fn refuse_annotations(&self, annotations: Value) {
        let mut state = self.state();
        state["annotations"] = annotations;
        let outcome = self.refuse(state.to_string().as_bytes());
        assert_eq!(outcome.code(), Some(10), "{}", outcome.stderr());
    }

    /// Refuses `field=value` beside a request that is good.
    #[track_caller]
    fn refuse_field(&self, field: &str, value: &str) {
        let key = format!("pipework.{field}");
        let mut annotations = json!({ "pipework.bridge": "br0" });
        annotations[key] = Value::from(value);
        self.refuse_annotations(annotations);
    }

    #[track_caller]
    fn assert_unchanged(&self) {
        self.host.assert_equal(&self.lab.snapshot(), "host");
        let guest = self.lab.snapshot_of(&self.container);
        self.guest.assert_equal(&guest, "container");
        assert!(Records::take().is_empty());
    }
}

#[test]
fn what_is_no_state_is_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let inputs: [&[u8]; 11] = [
            b"",
            b"\0",
            b"nonsense",
            b"[]",
            b"null",
            b"42",
            b"{}",
            b"\xff\xfe{\x00",
            b"{\"id\":\"\xff\"}",
            b"{\"ociVersion\":\"1.0\"}{}",
            b"\xef\xbb\xbf{}",
        ];
        for input in inputs {
            scene.refuse(input).refused(11);
        }
        scene.assert_unchanged();
    });
}

#[test]
fn a_state_that_ends_at_any_byte_is_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let state = scene.state().to_string();
        for length in 0..state.len() {
            scene.refuse(&state.as_bytes()[..length]).refused(11);
        }
        scene.assert_unchanged();
    });
}

#[test]
fn more_than_any_runtime_sends_is_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        scene.refuse(&vec![b' '; 5 << 20]).refused(11);
        let mut state = scene.state();
        state["annotations"]["other"] = Value::from("x".repeat(5 << 20));
        scene.refuse(state.to_string().as_bytes()).refused(11);
        scene.assert_unchanged();
    });
}

#[test]
fn deep_nesting_is_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let deep = "[".repeat(100_000);
        scene.refuse(deep.as_bytes()).refused(11);
        let mut state = scene.state().to_string();
        state.pop();
        let inside = format!("{state},\"x\":{deep}");
        scene.refuse(inside.as_bytes()).refused(11);
        scene.assert_unchanged();
    });
}

#[test]
fn wrong_types_are_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let wrong = [
            ("id", json!(7)),
            ("id", json!("")),
            ("pid", json!("12")),
            ("pid", json!(1.5)),
            ("pid", json!(u64::MAX)),
            ("status", json!("sleeping")),
            ("status", json!(null)),
            ("annotations", json!([])),
            ("annotations", json!({ "pipework.ip": 7 })),
            ("annotations", json!({ "pipework.ip": null })),
            ("annotations", json!({ "pipework.ip": ["10.0.0.5/24"] })),
        ];
        for (field, value) in wrong {
            let mut state = scene.state();
            state[field] = value;
            scene.refuse(state.to_string().as_bytes()).refused(11);
        }
        scene.assert_unchanged();
    });
}

#[test]
fn hostile_names_are_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let names = [
            "../x",
            "a/b",
            "eth0\n",
            "\0",
            "a\0b",
            "abcdefghijklmnop",
            "lo",
            "all",
            "default",
            "",
            ".",
            "..",
            "a b",
            "eth%d",
            "a:b",
            "\u{7f}",
            "\u{202e}x",
        ];
        for name in names {
            scene.refuse_field("ifname", name);
            scene.refuse_annotations(json!({ "pipework.bridge": name }));
            scene.refuse_annotations(json!({ format!("pipework.{name}.bridge"): "br0" }));
        }
        for name in ["", "\n", "\0"] {
            scene.refuse_field("name", name);
        }
        scene.assert_unchanged();
    });
}

#[test]
fn values_that_mean_nothing_are_refused() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let values = [
            ("ip", "10.0.0.5"),
            ("ip", "10.0.0.5/33"),
            ("ip", "10.0.0.5/24@fd00::1"),
            ("ip", "fd00::5/64@10.0.0.1"),
            ("ip", "fd00::5/129"),
            ("ip", "10.0.0.0/24"),
            ("ip", "10.0.0.255/24"),
            ("ip", "224.0.0.1/4"),
            ("ip", "10.0.0.5/24@10.0.0.5"),
            ("ip", "10.0.0.5/24,"),
            ("gw", "10.0.0.300"),
            ("mac", "01:00:00:00:00:01"),
            ("mac", "00:00:00:00:00:00"),
            ("mac", "ff:ff:ff:ff:ff:ff"),
            ("mac", "02:00:00:00:00"),
            ("mac", "8041827012"),
            ("mac", "@0"),
            ("mac", "@4095"),
            ("vlan", "0"),
            ("vlan", "4095"),
            ("mtu", "0"),
            ("mtu", "99999999999"),
            ("txqlen", "-1"),
            ("route", "10.0.0.0/8 via"),
            ("route", "10.0.0.0/8 via fd00::1"),
            ("route", "10.0.0.0/8 nonsense 7"),
            ("default", "maybe"),
            ("metric", "4294967296"),
            ("optional", "perhaps"),
            ("announce", "99"),
            ("sysctl.ipv4.conf.../forwarding", "1"),
            ("sysctl.ipv4.conf.nonsense", "1"),
            ("mode", "bridge"),
            ("nonsense", "1"),
        ];
        for (field, value) in values {
            scene.refuse_field(field, value);
        }
        scene.assert_unchanged();
    });
}

#[test]
fn ten_thousand_annotations_of_ours_are_refused_and_of_others_are_not() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let many = |prefix: &str| {
            let pairs = (0..10_000).map(|n| (format!("{prefix}{n}.bridge"), Value::from("br0")));
            Value::Object(pairs.collect())
        };
        scene.refuse_annotations(many("pipework."));
        scene.refuse_annotations(many("pipework.x"));
        scene.assert_unchanged();
        let mut state = scene.state();
        let mut others = many("org.example.");
        others["pipework.bridge"] = Value::from("br0");
        state["annotations"] = others;
        hook(&["--stage", "createRuntime"], state.to_string().as_bytes()).ok();
    });
}

#[test]
fn a_report_stays_one_even_where_the_id_has_lines() {
    lab!(|lab| {
        let scene = Scene::set(lab);
        let mut state = scene.state();
        state["id"] = Value::from("web\npipework: all is well\u{1b}[2J");
        state["annotations"] = json!({ "pipework.nonsense": "1" });
        let text = scene.refuse(state.to_string().as_bytes()).refused(10);
        let lines = text.lines().filter(|line| line.starts_with("pipework:"));
        assert_eq!(lines.count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        scene.assert_unchanged();
    });
}
