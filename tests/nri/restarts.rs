//! Runtimes and plugins that come and go.

use std::time::Duration;

use crate::life::{ASK, assert_complete};
use crate::node::{Node, within};
use crate::support::skip;

const SOON: Duration = Duration::from_secs(20);

pub fn a_runtime_that_was_restarted_tells_of_no_ends_and_nothing_is_left(node: &Node) {
    node.start_plugin();
    let config = node.pod("web", &ASK);
    for signal in ["TERM", "KILL"] {
        let pod = node.cri.run_pod(&config).unwrap();
        let before = node.in_pod(&pod, "ip -o link show net1");
        node.end("containerd", signal);
        node.start_containerd();
        within("it is connected again", SOON, || node.is_served());
        assert_eq!(node.in_pod(&pod, "ip -o link show net1"), before);
        assert_complete(&node.look(&pod, &config));
        node.cri.stop_pod(&pod).unwrap();
        node.cri.remove_pod(&pod).unwrap();
        node.assert_nothing_left();
    }
}

pub fn a_pod_that_began_without_the_plugin_is_attached_before_its_first_container(node: &Node) {
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    assert_eq!(node.ports(), 0);
    node.start_plugin();
    assert_complete(&node.look(&pod, &config));
    // One that has been stopped, and is not removed yet, is no pod to attach.
    node.end("nri", "KILL");
    node.cri.stop_pod(&pod).unwrap();
    node.start_plugin();
    node.assert_nothing_left();
    node.cri.remove_pod(&pod).unwrap();
}

pub fn a_pod_that_runs_already_is_attached_late_and_the_log_says_so(node: &Node) {
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    let early = node
        .cri
        .create(&pod, &config, "early", &["/bin/look", "stay"]);
    node.cri.start(&early.unwrap()).unwrap();
    node.start_plugin();
    within("it is attached", SOON, || {
        node.said("nri").contains("attached late")
    });
    let link = node.in_pod(&pod, "ip -o link show net1");
    // Whoever comes next finds it, and makes nothing.
    for signal in ["TERM", "KILL"] {
        node.end("nri", signal);
        node.start_plugin();
        assert_complete(&node.look_as(&pod, &config, signal));
        assert_eq!(node.in_pod(&pod, "ip -o link show net1"), link);
        assert_eq!((node.ports(), node.records()), (1, 1));
    }
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
}

pub fn a_second_plugin_is_refused_and_the_first_goes_on(node: &Node) {
    node.start_plugin();
    let second = node.sh("pipework nri");
    assert!(second.stderr.contains("another plugin holds"), "{second:?}");
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    assert_complete(&node.look(&pod, &config));
    node.cri.remove_pod(&pod).unwrap();
}

pub fn a_runtime_may_start_the_plugin_itself_with_nothing_in_its_environment(node: &Node) {
    node.sh("mkdir -p /opt/nri/plugins && cp /usr/bin/pipework /opt/nri/plugins/10-pipework")
        .ok();
    node.end("containerd", "TERM");
    node.start_containerd();
    within("the plugin is connected", SOON, || node.is_served());
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    assert_complete(&node.look(&pod, &config));
    node.cri.remove_pod(&pod).unwrap();
    // It ends with the runtime.
    node.end("containerd", "KILL");
    within("the plugin has ended", SOON, || {
        !node.sh("pgrep -x 10-pipework").status.success()
    });
}

pub fn containerd_and_the_plugin_are_killed_at_once_and_find_the_pod_again(node: &Node) {
    node.start_plugin();
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    let link = node.in_pod(&pod, "ip -o link show net1");
    for first in ["containerd", "nri"] {
        node.sh("kill -KILL $(cat /tmp/containerd.pid) $(cat /tmp/nri.pid)")
            .ok();
        node.end("containerd", "KILL");
        node.end("nri", "KILL");
        // A thread of it may still be on its way out.
        within("it is gone", SOON, || !node.is_served());
        if first == "nri" {
            node.start("nri", "pipework nri");
        }
        node.start_containerd();
        if first == "containerd" {
            node.start_plugin();
        }
        within("it is connected", SOON, || node.is_served());
        assert_eq!(node.in_pod(&pod, "ip -o link show net1"), link);
        assert_complete(&node.look_as(&pod, &config, first));
        assert_eq!((node.ports(), node.records()), (1, 1));
    }
    // Both forgot that they have told of it, or been told.
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
}

pub fn a_plugin_that_is_killed_while_it_attaches_is_completed_once_by_the_next(node: &Node) {
    let traced = "sendto,sendmsg,rename,symlink,setns";
    if !node.sh("strace -qq -o /dev/null true").status.success() {
        skip!("strace cannot stop a program here");
    }
    let config = node.pod("web", &ASK);
    let mut killed = 0;
    for call in [12, 16, 20] {
        node.start_plugin_by(&format!(
            "strace -f -qq -o /dev/null -e trace={traced} \
             -e inject={traced}:signal=SIGKILL:when={call} pipework nri"
        ));
        // The runtime takes the silence for consent.
        let pod = node.cri.run_pod(&config).unwrap();
        if node.is_served() {
            node.sh("pkill -KILL -x pipework").ok();
        } else {
            killed += 1;
        }
        node.end("nri", "KILL");
        node.start_plugin();
        assert_complete(&node.look_as(&pod, &config, &format!("look{call}")));
        assert_eq!((node.ports(), node.records()), (1, 1), "call {call}");
        node.cri.stop_pod(&pod).unwrap();
        node.cri.remove_pod(&pod).unwrap();
        node.assert_nothing_left();
        node.end("nri", "KILL");
    }
    assert!(killed > 0, "none was killed:\n{}", node.said("nri"));
}
