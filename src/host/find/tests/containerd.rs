//! containerd's tasks, and the names that nerdctl and CRI have for them.

use super::*;

#[test]
fn nerdctls_and_cris_names_stand_in_the_bundle_of_containerd() {
    let host = Host::new("containerd");
    let tasks = "run/containerd/io.containerd.runtime.v2.task";
    let pid = std::process::id().to_string();
    host.write(&format!("{tasks}/default/{WEB}/init.pid"), &pid);
    let config = r#"{"annotations":{"nerdctl/name":"web"}}"#;
    host.write(&format!("{tasks}/default/{WEB}/config.json"), config);
    let config = r#"{"annotations":{"io.kubernetes.cri.sandbox-namespace":"prod",
        "io.kubernetes.cri.sandbox-name":"db-0"}}"#;
    host.write(&format!("{tasks}/k8s.io/{DB}/config.json"), config);
    let web = (Engine::Containerd, "web".to_owned(), me());
    assert_eq!(host.container("web"), web);
    let db = (Engine::Containerd, "prod/db-0".to_owned(), State::Stopped);
    assert_eq!(host.container("prod/db-0"), db);
}

#[test]
fn a_name_of_nerdctl_without_a_task_is_a_stopped_container() {
    let host = Host::new("nerdctl");
    let names = "var/lib/nerdctl/1935db59/names/default";
    for (name, id) in [("web", WEB), ("db", DB), (".lock", "")] {
        host.write(&format!("{names}/{name}"), id);
    }
    let expected = |name: &str, state| (Engine::Containerd, name.to_owned(), state);
    for text in ["db", DB, "containerd:db"] {
        let db = expected("db", State::Stopped);
        assert_eq!(host.container(text), db, "{text}");
    }
    assert!(host.find(".lock").is_err());
    // One that has a task is one container and runs.
    let task = format!("run/containerd/io.containerd.runtime.v2.task/default/{WEB}");
    let pid = std::process::id().to_string();
    host.write(&format!("{task}/init.pid"), &pid);
    let config = r#"{"annotations":{"nerdctl/name":"web"}}"#;
    host.write(&format!("{task}/config.json"), config);
    assert_eq!(host.container("web"), expected("web", me()));
}

#[test]
fn what_cri_keeps_without_a_task_is_a_stopped_container() {
    let host = Host::new("cri");
    let cri = "var/lib/containerd/io.containerd.grpc.v1.cri";
    host.write(&format!("{cri}/sandboxes/{DB}/hostname"), "db-0");
    host.write(&format!("{cri}/containers/{WEB}/status"), "{}");
    host.write(&format!("{cri}/containers/other/status"), "{}");
    for id in [WEB, DB] {
        let stopped = (Engine::Containerd, id.to_owned(), State::Stopped);
        for text in [id, &id[..12]] {
            assert_eq!(host.container(text), stopped, "{text}");
        }
    }
    assert!(host.find("other").is_err());
    // One that has a task is one container, and runs.
    let task = format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{WEB}");
    let pid = std::process::id().to_string();
    host.write(&format!("{task}/init.pid"), &pid);
    assert_eq!(host.container(WEB).2, me());
}

#[test]
fn one_id_in_two_namespaces_of_containerd_is_told_apart_by_the_process() {
    let host = Host::new("namespaces");
    let mut other = another();
    let pids = [std::process::id(), other.id()];
    for (namespace, pid) in ["default", "k8s.io"].iter().zip(pids) {
        let task = format!("run/containerd/io.containerd.runtime.v2.task/{namespace}/job");
        host.write(&format!("{task}/init.pid"), &pid.to_string());
    }
    let error = host.find("job").unwrap_err();
    other.kill().unwrap();
    other.wait().unwrap();
    let FindError::Ambiguous { mut candidates, .. } = error else {
        panic!("{error}");
    };
    candidates.sort();
    let mut expected = pids.map(|pid| format!("pid:{pid}"));
    expected.sort();
    assert_eq!(candidates, expected);
}
