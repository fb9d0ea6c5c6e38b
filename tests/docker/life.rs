//! From start to end, however either comes about.

use serde_json::{Value, json};

use crate::engine::{ASK, Docker};
use crate::lan::{
    assert_complete, assert_complete_with, assert_nothing_left, eventually, host_links,
};
use crate::server::{leases, serve_a_card};
use crate::support::world::World;

fn pid_of(docker: &Docker) -> String {
    let pid = docker.docker("inspect -f '{{.State.Pid}}' web").ok();
    pid.trim().to_owned()
}

pub fn a_container_has_the_same_interface_after_restarts_of_every_kind(docker: &Docker) {
    let run = format!("run -d --name web --restart always {ASK} bb /bin/look stay");
    docker.docker(&run).ok();
    let mac = assert_complete(&docker.look("web"));
    let port = host_links(docker);
    assert_eq!(port.len(), 1);
    let link = docker.sh(&format!("ip link show {}", port[0])).ok();
    assert!(link.contains("alias pipework:web/eth1"), "{link}");
    docker.docker("restart -t 1 web").ok();
    assert_eq!(assert_complete(&docker.look("web")), mac);
    let former = pid_of(docker);
    docker.sh(&format!("kill -9 {former}")).ok();
    let is_new = || !["0", former.as_str()].contains(&pid_of(docker).as_str());
    assert!(eventually(is_new), "it was not started again");
    assert_eq!(assert_complete(&docker.look("web")), mac);
    assert_eq!(host_links(docker), port);
    docker.docker("stop -t 1 web").ok();
    assert_nothing_left(docker);
    docker.docker("start web").ok();
    assert_eq!(assert_complete(&docker.look("web")), mac);
    docker.docker("rm -f web").ok();
    // Another container of that name is the same host on the network.
    docker.docker(&run).ok();
    assert_eq!(assert_complete(&docker.look("web")), mac);
    docker.docker("rm -f web").ok();
}

pub fn a_container_has_the_same_lease_after_a_restart_and_under_its_name_again(docker: &Docker) {
    serve_a_card(docker);
    let run = "run -d --name web --runtime pipework --network none \
               --annotation pipework.parent=up0 --annotation pipework.ip=dhcp bb /bin/look stay";
    let address = || {
        let leases = leases(docker);
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases[0]["dhcp4"]["address"].as_str().unwrap().to_owned()
    };
    docker.docker(run).ok();
    let leased = address();
    let (address_alone, _) = leased.split_once('/').unwrap();
    let mac = assert_complete_with(&docker.look("web"), address_alone);
    // Where Docker gives no network its files say what the lease does.
    let assert_named = || {
        let files = "exec web /bin/busybox sed -n p /etc/resolv.conf /etc/hosts";
        let files = docker.docker(files).ok();
        let has = |start: &str| files.lines().any(|line| line.starts_with(start));
        let is_named = has("nameserver 10.0.0.53") && has(&format!("{address_alone}\t"));
        assert!(is_named, "{files}");
        assert_eq!(files.matches("nameserver").count(), 1, "{files}");
    };
    assert_named();
    docker
        .sh(&format!(
            "ip netns exec server ping -c 1 -W 5 {address_alone}"
        ))
        .ok();
    docker.docker("restart -t 1 web").ok();
    assert_eq!(
        assert_complete_with(&docker.look("web"), address_alone),
        mac
    );
    assert_named();
    assert_eq!(address(), leased);
    docker.docker("rm -f web").ok();
    assert_nothing_left(docker);
    let is_forgotten = eventually(|| leases(docker).is_empty());
    assert!(is_forgotten, "{:?}", leases(docker));
    docker.docker(run).ok();
    assert_eq!(
        assert_complete_with(&docker.look("web"), address_alone),
        mac
    );
    docker.docker("rm -f web").ok();
}

pub fn a_container_lives_on_while_the_daemon_is_killed(docker: &Docker) {
    let run = format!("run -d --name web {ASK} bb /bin/look stay");
    docker.docker(&run).ok();
    let mac = assert_complete(&docker.look("web"));
    let pid = pid_of(docker);
    for signal in ["KILL", "TERM"] {
        docker.end(signal);
        docker.sh("ping -c 1 -W 5 10.0.0.5").ok();
        docker.start();
        assert_eq!(pid_of(docker), pid, "{signal}");
        assert_eq!(assert_complete(&docker.look("web")), mac, "{signal}");
    }
    docker.docker("rm -f web").ok();
}

/// The container that runs is found by each of these names and plugged in.
fn assert_found(docker: &Docker, names: &[&str]) {
    for name in names {
        let line = format!("pipework attach {name} bridge=br0 ip=10.7.0.5/24");
        docker.sh(&line).ok();
        let said = docker.sh(&format!("pipework detach {name}")).ok();
        assert_eq!(said, "eth1 of plain is unplugged\n", "{name}");
    }
    docker.docker("stop -t 0 plain").ok();
    let stopped = docker.sh("pipework br0 plain 10.7.0.5/24");
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let words = "plain (docker) is not running";
    assert!(stopped.stderr.contains(words), "{stopped:?}");
}

pub fn commands_on_a_container_reach_the_real_runtime(docker: &Docker) {
    docker
        .docker("run -d --name plain --runtime pipework --network none bb /bin/look stay")
        .ok();
    assert!(host_links(docker).is_empty());
    docker.docker("pause plain").ok();
    docker.docker("unpause plain").ok();
    docker.docker("top plain").ok();
    let code = docker.docker("exec plain /bin/busybox sh -c 'exit 7'");
    assert_eq!(code.status.code(), Some(7));
    let id = docker.docker("inspect -f '{{.Id}}' plain").ok();
    assert_found(docker, &["plain", id.trim(), &id[..12], "docker:plain"]);
    docker.docker("rm -f plain").ok();
    let asked = |program: &str| docker.sh(&format!("{program} --version")).ok();
    assert_eq!(asked("pipework-runtime"), asked("runc"));
    assert_eq!(asked("pipework runtime"), asked("runc"));
}

/// The only command after which nobody is asked again before the workload runs.
pub fn run_without_an_engine_gets_our_hooks_and_keeps_the_rest(docker: &Docker) {
    let world: &World = docker;
    let asked = [
        ("pipework.bridge", "br0"),
        ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
    ];
    let bundle = world.bundle_with("web", &asked, &["/bin/look"], |spec| {
        spec["hooks"] = json!({ "poststop": [{ "path": "/bin/true" }] });
        spec["x-kept"] = json!(1);
    });
    for _ in 0..2 {
        let run = format!("pipework-runtime run --bundle {bundle} web");
        assert_complete(&world.sh(&run).ok());
        assert_nothing_left(world);
    }
    let config = world.sh(&format!("cat {bundle}/config.json")).ok();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["x-kept"], 1);
    assert_eq!(
        config["hooks"]["createRuntime"].as_array().unwrap().len(),
        1
    );
    let last = config["hooks"]["poststop"].as_array().unwrap();
    assert_eq!((last.len(), &last[0]["path"]), (2, &json!("/bin/true")));
}
