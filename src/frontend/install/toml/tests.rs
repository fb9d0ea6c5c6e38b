//! Settings go in, and come out again to the byte.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NRI: [&str; 3] = ["plugins", "io.containerd.nri.v1.nri", "disable"];

fn nri() -> Setting {
    Setting::over(&NRI, json!(false))
}

fn handler() -> Setting {
    let plugin = "io.containerd.grpc.v1.cri";
    let path = ["plugins", plugin, "containerd", "runtimes", "pipework"];
    let value = json!({
        "runtime_type": "io.containerd.runc.v2",
        "pod_annotations": ["pipework.*"],
        "options": { "BinaryName": "/usr/bin/pipework-runtime" },
    });
    Setting::new(&path, value)
}

/// As Debian ships it.
const DEBIAN: &str = r#"version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni" # here
      conf_dir = "/etc/cni/net.d"
  # where
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"#;

#[test]
fn comments_and_order_stay_around_a_new_table() {
    for setting in [nri(), handler()] {
        let (with, set) = Toml::set(DEBIAN, &setting).unwrap().unwrap();
        let lines: Vec<&str> = with.lines().collect();
        for line in DEBIAN.lines() {
            assert!(lines.contains(&line), "{line}\n{with}");
        }
        assert_eq!(Toml::set(&with, &setting), Ok(None), "{with}");
        assert_eq!(Toml::unset(&with, &set).unwrap(), DEBIAN);
    }
}

#[test]
fn a_new_file_has_one_table() {
    let (text, set) = Toml::set("", &nri()).unwrap().unwrap();
    assert_eq!(
        text.trim_start(),
        "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n"
    );
    assert!(Toml::is_empty(&Toml::unset(&text, &set).unwrap()));
}

#[test]
fn a_value_that_was_there_comes_back_with_its_comment() {
    let text = "[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = true # as shipped\n";
    let (with, set) = Toml::set(text, &nri()).unwrap().unwrap();
    assert_eq!(with, text.replace("true", "false"));
    assert_eq!(Toml::unset(&with, &set).unwrap(), text);
}

#[test]
fn a_table_of_a_former_run_is_replaced_where_it_stands() {
    let (with, former) = Toml::set(DEBIAN, &handler()).unwrap().unwrap();
    let with = with + "\n[extra]\nx = 1\n";
    let mut moved = handler();
    moved.value["options"]["SystemdCgroup"] = json!(true);
    assert!(Toml::set(&with, &moved).is_err());
    let setting = moved.after(&former.value);
    let (after, set) = Toml::set(&with, &setting).unwrap().unwrap();
    assert!(after.contains("SystemdCgroup = true"), "{after}");
    assert!(after.ends_with("\n[extra]\nx = 1\n"), "{after}");
    let set = Set {
        value: set.value,
        ..former
    };
    let without = Toml::unset(&after, &set).unwrap();
    assert_eq!(without, DEBIAN.to_owned() + "\n[extra]\nx = 1\n");
}

#[test]
fn an_edit_in_between_stays() {
    let (with, set) = Toml::set(DEBIAN, &handler()).unwrap().unwrap();
    let edited = with.replace("/etc/cni/net.d", "/opt/net.d") + "\n[extra]\nx = 1\n";
    let without = Toml::unset(&edited, &set).unwrap();
    assert!(!without.contains("pipework"), "{without}");
    assert_eq!(
        without,
        DEBIAN.replace("/etc/cni/net.d", "/opt/net.d") + "\n[extra]\nx = 1\n"
    );
}

#[test]
fn a_broken_text_is_refused_with_its_place() {
    let refused = Toml::set("version = 2\n[plugins\n", &nri()).unwrap_err();
    assert!(
        matches!(refused, EditError::Malformed { line: 2, .. }),
        "{refused:?}"
    );
    assert_eq!(
        Toml::set("a = 1\r\nb = 2\r\n", &nri()).unwrap_err(),
        EditError::NotKept
    );
}

fn table() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-f]{1,4} = (true|12|\"x y\"|\\[1, 2\\])( # [a-z ]{0,6})?",
        "# [a-z ]{0,8}",
        Just(String::new()),
    ];
    (
        "  [a-g]{1,3}",
        prop::collection::vec(line, 0..4),
        any::<bool>(),
    )
        .prop_map(|(name, lines, deep)| {
            let name = name.trim();
            let head = match deep {
                true => format!("[plugins.\"{name}\"]"),
                false => format!("[{name}]"),
            };
            format!("{head}\n{}\n", lines.join("\n"))
        })
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn what_was_set_is_taken_out_to_the_byte(
            tables in prop::collection::vec(table(), 0..5), handled in any::<bool>(),
        ) {
            let text = format!("version = 2\n\n{}", tables.join("\n"));
            prop_assume!(text.parse::<DocumentMut>().is_ok());
            let setting = if handled { handler() } else { nri() };
            let (with, set) = Toml::set(&text, &setting).unwrap().unwrap();
            prop_assert!(with.parse::<DocumentMut>().is_ok(), "{}", with);
            prop_assert_eq!(Toml::set(&with, &setting), Ok(None));
            prop_assert_eq!(Toml::unset(&with, &set), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]a.=\"\n{}plugins1 ]{0,40}") {
            let _ = Toml::set(&text, &nri());
        }
    }
}
