//! What is typed: options in every form, words that are none, what a command says
//! about itself, and completions as shells read them.

use std::fs;
use std::process::Command;

use crate::commands::{named, pipework, stdout};
use crate::policy;
use crate::support::lab::{PIPEWORK, has, ip, lab};
use crate::support::skip;

#[track_caller]
fn assert_refused(words: &str, said: &str) {
    let outcome = pipework(words);
    let text = outcome.stderr();
    assert_eq!(outcome.code(), Some(2), "{words}: {text}");
    assert!(text.starts_with(said), "{words}: {text}");
    assert!(outcome.0.stdout.is_empty(), "{words}");
}

#[test]
fn words_that_contradict_each_other_or_lack_their_value_are_named() {
    lab!(|_lab| {
        for (words, said) in [
            (
                "install containerd --nri --runtime",
                "pipework: --nri does not go together with --runtime\nusage: pipework install",
            ),
            (
                "install docker --undo --verify",
                "pipework: --undo does not go together with --verify\nusage: pipework install",
            ),
            (
                "install podman --set-as-default",
                "pipework: --set-as-default is for docker alone\nusage: pipework install",
            ),
            (
                "detach web --all",
                "pipework: --all does not go together with web\nusage: pipework detach",
            ),
            (
                "attach web --annotation bad",
                "pipework: bad is no FIELD=VALUE\nusage: pipework attach",
            ),
            (
                "plan --annotation bad",
                "pipework: bad is no FIELD=VALUE\nusage: pipework plan",
            ),
        ] {
            assert_refused(words, said);
        }
    });
}

#[test]
fn a_command_with_words_that_it_does_not_have_says_which_and_how_it_is_called() {
    lab!(|_lab| {
        for (words, said) in [
            (
                "list --jsn",
                "pipework: list has no option --jsn; did you mean --json\nusage: pipework list",
            ),
            (
                "check --json=yes",
                "pipework: --json takes no value, and here is yes\nusage: pipework check",
            ),
            (
                "graph --format png",
                "pipework: --format is svg or dot or mermaid, not png\nusage: pipework graph",
            ),
            (
                "uplink add br0 eth0 --vlna 5",
                "pipework: uplink add has no option --vlna; did you mean --vlan\nusage: pipework uplink add",
            ),
            (
                "uplink del br0 --force",
                "pipework: uplink del has no option --force\nusage: pipework uplink del",
            ),
            ("detach", "usage: pipework detach"),
            (
                "attach web",
                "pipework: no field is given; `pipework keys` lists them\nusage: pipework attach",
            ),
            (
                "attach web bridge br0",
                "pipework: bridge is no FIELD=VALUE\nusage: pipework attach",
            ),
            (
                "plan web",
                "pipework: no field is given; `pipework keys` lists them\nusage: pipework plan",
            ),
            (
                "check a b",
                "pipework: check does not take these words: a b\nusage: pipework check",
            ),
            (
                "list web",
                "pipework: list does not take these words: web\nusage: pipework list",
            ),
            (
                "gc now",
                "pipework: gc does not take these words: now\nusage: pipework gc",
            ),
            ("daemon --socket /x", "usage: pipework daemon"),
            (
                "install podmn --dry-run",
                "pipework: install knows no podmn; did you mean podman\nusage: pipework install",
            ),
            (
                "doctor dns forwrad",
                "pipework: doctor knows no forwrad; did you mean forward\nusage: pipework doctor",
            ),
            (
                "completions tcsh",
                "pipework: completions knows no tcsh\nusage: pipework completions",
            ),
            (
                "keys ipp",
                "pipework: no field is called ipp; did you mean ip\n",
            ),
            ("why", "usage: pipework why"),
        ] {
            assert_refused(words, said);
        }
    });
}

#[test]
fn a_word_that_is_nearly_a_command_is_answered_with_it() {
    lab!(|_lab| {
        for (words, meant) in [
            ("lsit", "list"),
            ("atach web bridge=br0 ip=10.0.0.5/24", "attach"),
        ] {
            let outcome = pipework(words);
            assert_eq!(outcome.code(), Some(1), "{words}");
            let hint = format!("did you mean pipework {meant}?\n");
            assert!(outcome.stderr().ends_with(&hint), "{}", outcome.stderr());
        }
        assert!(!pipework("foo0 web 10.0.0.5/24").stderr().contains("mean"));
    });
}

#[test]
fn what_policy_refuses_deletes_no_device_that_is_in_the_way() {
    lab!(|lab| {
        lab.bridge("br1");
        let container = lab.container("web");
        let (name, hostif) = (named(&container), format!("veth1pl{}", container.pid()));
        let words = format!("br1 {name} 10.0.0.5/24");
        pipework(&words).ok();
        ip(&format!("link set {hostif} down"));
        policy::write("[[rule]]\naction = \"deny\"\nuplink = [\"br1\"]\n");
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let text = pipework(&words).refused(1);
        assert!(text.contains("policy"), "{text}");
        before.0.assert_equal(&lab.snapshot(), "host");
        let now = lab.snapshot_of(&container);
        before.1.assert_equal(&now, "container");
        fs::remove_file("/etc/pipework/policy.toml").unwrap();
        pipework(&words).ok();
        assert!(ip(&format!("link show {hostif}")).contains("state UP"));
    });
}

#[test]
fn every_command_tells_its_options_wherever_it_is_asked() {
    lab!(|_lab| {
        for command in pipework::frontend::commands::COMMANDS {
            if command.name == "runtime" {
                continue;
            }
            let said = stdout(pipework(&format!("{} --help", command.name)).ok());
            assert!(
                said.starts_with(&format!("usage: pipework {}", command.name)),
                "{said}"
            );
            for option in command.options {
                assert!(said.contains(option.name), "{} in {said}", option.name);
            }
        }
        let said = stdout(pipework("check web --json --help").ok());
        assert!(said.contains("--repair"), "{said}");
        let said = stdout(pipework("uplink add --help").ok());
        assert!(
            said.contains("--confirm-within TIME") && !said.contains("snippet"),
            "{said}"
        );
        assert!(stdout(pipework("uplink --help").ok()).contains("uplink snippet"));
        assert!(stdout(pipework("--help").ok()).contains("pipework attach web"));
        assert!(stdout(pipework("man").ok()).contains(".TH PIPEWORK 1"));
        let version = format!("pipework {}\n", env!("CARGO_PKG_VERSION"));
        for word in ["version", "--version", "-V"] {
            assert_eq!(stdout(pipework(word).ok()), version);
        }
    });
}

#[test]
fn a_plan_for_a_container_is_what_attach_then_does() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let words = format!("{name} bridge=br0 ip=10.0.0.5/24@10.0.0.1");
        let plan = stdout(pipework(&format!("plan {words}")).ok());
        assert!(
            plan.contains("10.0.0.5/24") && plan.contains("br0"),
            "{plan}"
        );
        assert!(!plan.contains("new network namespace"), "{plan}");
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
        let imagined = stdout(pipework("plan bridge=br0 ip=10.0.0.5/24").ok());
        assert!(imagined.contains("new network namespace"), "{imagined}");
        // `making eth1 (MAC, MTU 1500) with HOSTIF as its end on the host`
        let made = plan.split_once("making eth1 (").unwrap().1;
        let (mac, rest) = made.split_once(", MTU ").unwrap();
        let (mtu, rest) = rest.split_once(") with ").unwrap();
        let (hostif, _) = rest.split_once(" as its end").unwrap();
        pipework(&format!("attach {words}")).ok();
        let has = |line: &str| lab.inside(&container, || ip(line));
        let link = has("link show eth1");
        assert!(
            link.contains(mac) && link.contains(&format!("mtu {mtu} ")),
            "{plan}{link}"
        );
        assert!(
            has("addr show eth1").contains("inet 10.0.0.5/24 "),
            "{plan}"
        );
        assert!(
            has("route show default").contains("via 10.0.0.1 dev eth1"),
            "{plan}"
        );
        assert!(ip("link show master br0").contains(hostif), "{plan}");
        // The name inside is taken now, which only who looks inside can know.
        let text = pipework(&format!("plan {name} bridge=br0 ifname=eth1")).stderr();
        assert!(text.contains("eth1"), "{text}");
    });
}

/// What a shell offers behind `line`, whose last word is being typed.
fn offered(line: &str) -> Vec<String> {
    let script = "source <(\"$1\" completions bash); shift
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _pipework; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script, "bash", PIPEWORK])
        .args(line.split(' '))
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_values_and_fields() {
    if !has("bash", "--version") {
        skip!("no bash");
    }
    assert_eq!(offered("pipework det"), ["detach"]);
    assert_eq!(offered("pipework check --"), ["--json", "--repair"]);
    assert_eq!(offered("pipework graph --format d"), ["dot"]);
    assert_eq!(offered("pipework uplink add br0 eth0 --bo"), ["--bond"]);
    assert_eq!(offered("pipework doctor rp"), ["rp-filter"]);
    assert!(offered("pipework attach web i").contains(&"ip=".to_owned()));
    assert!(offered("pipework plan i").contains(&"ifname=".to_owned()));
}

/// Runs `shell` with a script in which `FILE` is its completions.
fn said_by(shell: &str, options: &[&str], script: &str) -> String {
    let path = format!("/run/completions.{shell}");
    let completions = stdout(pipework(&format!("completions {shell}")).ok());
    std::fs::write(&path, completions).unwrap();
    let script = script.replace("FILE", &path);
    let mut command = Command::new(shell);
    command
        .args(options)
        .args(["-c", &script])
        .env("HOME", "/run");
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn zsh_loads_its_completions() {
    lab!(|_lab| {
        if !has("zsh", "--version") {
            skip!("no zsh");
        }
        let script =
            "autoload -U compinit; compinit -u -D; source FILE; print -- $_comps[pipework]";
        assert_eq!(
            said_by("zsh", &["-f"], script),
            "_bash_complete -F _pipework\n"
        );
    });
}

#[test]
fn fish_completes_commands_options_values_and_fields() {
    lab!(|_lab| {
        if !has("fish", "--version") {
            skip!("no fish");
        }
        let script = "source FILE; for line in 'pipework det' 'pipework check --' \
                      'pipework graph --format d' 'pipework attach web ifn'; complete -C $line; end";
        let said = said_by("fish", &["--no-config"], script);
        let words: Vec<&str> = said.lines().filter_map(|l| l.split('\t').next()).collect();
        assert_eq!(words, ["detach", "--json", "--repair", "dot", "ifname="]);
    });
}

#[test]
fn a_wait_ends_when_the_interface_is_up_and_has_its_carrier() {
    lab!(|_lab| {
        let words = ["--wait", "-i", "w0", "--timeout", "60"];
        let mut waiting = Command::new(PIPEWORK).args(words).spawn().unwrap();
        for step in [
            "link add w0 type veth peer name w1",
            "link set w0 up",
            "link set w1 up",
        ] {
            std::thread::sleep(std::time::Duration::from_millis(250));
            assert!(waiting.try_wait().unwrap().is_none(), "before {step}");
            ip(step);
        }
        assert!(waiting.wait().unwrap().success());
    });
}
