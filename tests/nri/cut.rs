//! Attachments that are cut short: by a runtime that waits no longer, and by the
//! death of the plugin in the midst of a call.

use std::fs;
use std::time::Duration;

use pipework::nri::link::LinkError;

use crate::mock::{CONTAINERD, Runtime, assert_nothing_left, has, pod, ports, records, said};
use crate::node::within;
use crate::support::attached::kill_at;
use crate::support::lab::{Lab, lab};
use crate::support::{skip, strace_works};

const ASK: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];
const TRACE: &str = "/run/trace";
const SOON: Duration = Duration::from_secs(20);
/// What changes the kernel or the store.
const CALLS: [&str; 5] = ["sendto", "sendmsg", "rename", "symlink", "setns"];
/// The same at an end.
/// Which of the calls that open a file it is, is the C library's choice.
const ENDS: [&str; 5] = ["sendto", "rename", "unlink", "fcntl", "?open,?openat"];
/// No thread makes more of one of them.
const MANY: usize = 200;

/// strace of all threads, with further words.
fn strace<'a>(output: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["strace", "-f", "-qq", "-o", output];
    for word in words {
        line.extend(["-e", word]);
    }
    line
}

/// How many messages the thread of a pod has sent by the time that its port is
/// there: strace counts for each thread by itself.
fn messages_before_the_port(lab: &Lab) -> usize {
    let scout = lab.container("scout");
    let asks = pod(&scout, &ASK);
    let line = strace(TRACE, &["trace=sendto"]);
    let runtime = Runtime::start_by(&line, CONTAINERD, &[]).unwrap();
    let patience = Duration::from_secs(30);
    runtime.run_within(&asks, patience).unwrap();
    scout.end();
    runtime.stop(&asks);
    assert_nothing_left();
    drop(runtime);
    let trace = fs::read_to_string(TRACE).unwrap();
    let sent = trace.lines().filter(|line| line.contains(" sendto("));
    let sent: Vec<(&str, &str)> = sent.filter_map(|line| line.split_once(' ')).collect();
    let port = sent.iter().position(|(_, call)| {
        call.contains("RTM_NEWLINK") && call.contains("NLM_F_CREATE") && call.contains("veth")
    });
    let port = port.unwrap_or_else(|| panic!("no port was made:\n{trace}"));
    let thread = sent[port].0;
    sent[..=port].iter().filter(|(of, _)| *of == thread).count()
}

#[test]
fn a_pod_that_is_half_made_when_its_time_is_over_is_taken_back_and_refused() {
    if !strace_works() {
        skip!("strace cannot stop a program here");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let next = messages_before_the_port(lab) + 1;
        let (web, other) = (lab.container("web"), lab.container("other"));
        let asks = pod(&web, &ASK);
        // Once its port is there, longer than the pod has.
        let held = format!("inject=sendto:delay_enter=3500000:when={next}");
        let line = strace("/dev/null", &["trace=sendto", &held]);
        let runtime = Runtime::start_by(&line, CONTAINERD, &[]).unwrap();
        let patience = Duration::from_secs(5);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| runtime.run_within(&asks, patience));
            within("it is half made", SOON, || ports() == 1);
            match run.join().unwrap() {
                Err(LinkError::Refused(status)) => {
                    assert!(status.message.contains("shop/web"), "{status:?}");
                }
                other => panic!("{other:?}\n{}", said()),
            }
        });
        assert_nothing_left();
        assert!(!has(lab, &web, "net1"));
        // The connection goes on, and the next try has success.
        assert_eq!(runtime.create(&pod(&other, &[])).0, None);
        drop(runtime);
        let runtime = Runtime::start(CONTAINERD, &[]);
        assert_eq!(runtime.create(&asks).0, None);
        assert!(has(lab, &web, "net1"));
        web.end();
        runtime.stop(&asks);
        assert_nothing_left();
    });
}

/// Has the plugin killed when one of its threads makes its `number`th `call` of
/// that kind, and the next one complete the pod; whether it was.
fn is_killed_and_completed(lab: &Lab, call: &str, number: usize) -> bool {
    let web = lab.container(&format!("{call}{number}"));
    let asks = pod(&web, &ASK);
    let (trace, inject) = (
        format!("trace={call}"),
        format!("inject={call}:signal=SIGKILL:when={number}"),
    );
    let line = strace("/dev/null", &[&trace, &inject]);
    let was_killed = match Runtime::start_by(&line, CONTAINERD, &[]) {
        Ok(runtime) => match runtime.run(&asks) {
            Ok(()) => false,
            Err(LinkError::Refused(status)) => panic!("{status:?}"),
            Err(_) => true,
        },
        Err(_) => true,
    };
    let runtime = Runtime::start(CONTAINERD, &[&asks]);
    let when = format!("{call} {number}:\n{}", said());
    assert!(has(lab, &web, "net1"), "{when}");
    assert_eq!(runtime.create(&asks).0, None, "{when}");
    assert_eq!((ports(), records()), (1, 1), "{when}");
    web.end();
    runtime.stop(&asks);
    assert_nothing_left();
    was_killed
}

#[test]
fn a_plugin_that_is_killed_at_any_step_leaves_what_the_next_one_completes_once() {
    if !strace_works() {
        skip!("strace cannot stop a program here");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let mut kills = 0;
        // strace counts each kind of call by itself.
        for call in CALLS {
            let mut numbers = 1..MANY;
            let survived = numbers.position(|number| !is_killed_and_completed(lab, call, number));
            kills += survived.unwrap_or_else(|| panic!("{call} was killed each time"));
        }
        assert!(kills > 0, "it was never killed");
    });
}

/// Has the plugin killed at its `number`th `call` of that kind from when a pod's end is
/// told; whether it was. The next one is told of no pod, and ends it.
fn is_killed_in_the_end(lab: &Lab, call: &str, number: usize) -> bool {
    let web = lab.container(&format!("end-{number}"));
    let asks = pod(&web, &ASK);
    let runtime = Runtime::start(CONTAINERD, &[]);
    runtime.run(&asks).unwrap();
    let mut strace = kill_at(runtime.plugin.id(), (call, number));
    web.end();
    let told = ["StopPodSandbox", "RemovePodSandbox"].map(|event| runtime.tell(event, &asks));
    let was_killed = told.iter().any(Result::is_err);
    strace.kill().ok();
    strace.wait().unwrap();
    drop(runtime);
    let _runtime = Runtime::start(CONTAINERD, &[]);
    assert_nothing_left();
    was_killed
}

#[test]
fn a_plugin_that_is_killed_while_it_ends_a_pod_leaves_what_the_next_one_ends() {
    if !strace_works() {
        skip!("strace cannot stop a program here");
    }
    lab!(|lab| {
        lab.bridge("br0");
        // strace counts each kind of call by itself, thread by thread.
        for call in ENDS {
            let mut numbers = 1..MANY;
            let survived = numbers.position(|number| !is_killed_in_the_end(lab, call, number));
            let kills = survived.unwrap_or_else(|| panic!("{call} was killed each time"));
            assert!(kills > 0, "it was never killed at {call}");
        }
    });
}
