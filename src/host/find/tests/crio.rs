//! CRI-O's pods and their containers.

use super::*;

#[test]
fn cri_os_container_is_found_by_its_name_among_podmans() {
    let host = Host::new("crio").with_podman();
    let name = "k8s_web_shop-1_default_0c2a_0";
    let id = "c0ffee".repeat(10) + "c0ff";
    let list = format!(r#"[{{"id":"{id}","names":["{name}","other"]}}]"#);
    let folder = "var/lib/containers/storage/overlay-containers";
    host.write(&format!("{folder}/volatile-containers.json"), &list);
    host.runs("run/runc", &id);
    let expected = (Engine::Crio, "default/shop-1/web".to_owned(), me());
    for text in [name, "default/shop-1/web", "c0ffee", "cri-o:c0ffeec0ff"] {
        assert_eq!(host.container(text), expected, "{text}");
    }
    assert_eq!(host.container("web").0, Engine::Podman);
}

#[test]
fn a_pod_of_cri_o_needs_no_process_and_the_one_that_lives_is_meant() {
    let host = Host::new("crio-pod");
    let folder = "var/lib/containers/storage/overlay-containers";
    let ids = [("a", "old"), ("b", "new")].map(|(digit, netns)| {
        let id = digit.repeat(64);
        let namespace = format!(r#"{{"type":"network","path":"/run/netns/{netns}"}}"#);
        let config = format!(r#"{{"linux":{{"namespaces":[{namespace}]}}}}"#);
        host.write(&format!("{folder}/{id}/userdata/config.json"), &config);
        id
    });
    let [old, new] = &ids;
    let list = format!(
        r#"[{{"id":"{old}","names":["k8s_POD_web_shop_0c2a_0","k8s_web_shop_0c2a_0"]}},
            {{"id":"{new}","names":["k8s_POD_web_shop_0c2a_1"]}},
            {{"id":"{}","names":["k8s_main_web_shop_0c2a_0"]}}]"#,
        "c".repeat(64)
    );
    host.write(&format!("{folder}/volatile-containers.json"), &list);
    host.write("run/netns/new", "");
    let namespace_of = |text: &str| match host.find(text).unwrap() {
        Found::Container(found) => (found.called().to_owned(), pod_namespace(&found)),
        other => panic!("{other:?}"),
    };
    let living = ("shop/web".to_owned(), Some("/run/netns/new".into()));
    for text in [
        "shop/web",
        "cri-o:shop/web",
        "bbb",
        "k8s_POD_web_shop_0c2a_1",
    ] {
        assert_eq!(namespace_of(text), living, "{text}");
    }
    // Of what has ended, and of a container, only the name is known.
    for (text, name) in [("aaa", "k8s_POD_web_shop_0c2a_0"), ("ccc", "shop/web/main")] {
        assert_eq!(namespace_of(text), (name.to_owned(), None), "{text}");
    }
}

/// A container of a pod, its digit repeated for an id, as the list has it.
fn attempt(digit: &str, attempt: u32, created: &str) -> String {
    let id = digit.repeat(64);
    format!(r#"{{"id":"{id}","names":["k8s_main_web_shop_0c2a_{attempt}"],"created":"{created}"}}"#)
}

#[test]
fn of_a_container_that_was_begun_anew_the_one_that_runs_is_meant_or_else_the_newest() {
    let host = Host::new("crio-attempts");
    let list = [
        attempt("a", 0, "2026-01-02T03:04:05.1Z"),
        attempt("c", 2, "2026-01-02T03:06:05.1Z"),
        attempt("b", 1, "2026-01-02T03:05:05.1Z"),
    ];
    let path = "var/lib/containers/storage/overlay-containers/volatile-containers.json";
    host.write(path, &format!("[{}]", list.join(",")));
    let meant = |text: &str| match host.find(text).unwrap() {
        Found::Container(found) => (found.id.clone(), found.state, pod_namespace(&found)),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        meant("shop/web/main"),
        ("c".repeat(64), State::Stopped, None)
    );
    host.runs("run/crun", &"b".repeat(64));
    for text in ["shop/web/main", "cri-o:shop/web/main"] {
        assert_eq!(meant(text), ("b".repeat(64), me(), None), "{text}");
    }
    assert_eq!(meant("aaa").0, "a".repeat(64));
}
