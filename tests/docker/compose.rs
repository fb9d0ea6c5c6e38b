//! Compose: `runtime:` and `annotations:` of a service.

use crate::engine::Docker;
use crate::lan::{assert_complete_with, assert_nothing_left, host_links};
use crate::readme::block;

const FILE: &str = r#"services:
  web:
    image: bb
    command: /bin/look stay
    network_mode: none
    runtime: pipework
    annotations:
      pipework.bridge: br0
      pipework.ip: 10.0.0.5/24@10.0.0.1
  db:
    image: bb
    command: /bin/look stay
    runtime: pipework
    stop_grace_period: 1s
    annotations:
      - pipework.bridge=br0
      - pipework.ip=10.0.0.6/24@10.0.0.1
  worker:
    image: bb
    command: /bin/look stay
    network_mode: none
    runtime: pipework
    annotations: {pipework.bridge: br0, pipework.ip: 0/0}
"#;

pub fn services_have_their_addresses_over_restarts_and_leave_nothing(docker: &Docker) {
    docker.write("/srv/lan/compose.yaml", FILE);
    let compose = |line: &str| {
        let line = format!("cd /srv/lan && docker compose {line}");
        docker.sh(&line).ok()
    };
    let look = |service: &str| compose(&format!("exec -T {service} /bin/look"));
    compose("up -d --scale worker=3");
    let web = assert_complete_with(&look("web"), "10.0.0.5");
    let db = look("db");
    let mac = assert_complete_with(&db, "10.0.0.6");
    assert!(db.contains("link eth0 up running "), "{db}");
    assert_ne!(web, mac);
    assert_eq!(host_links(docker).len(), 5);
    compose("restart -t 1");
    assert_eq!(assert_complete_with(&look("web"), "10.0.0.5"), web);
    assert_eq!(assert_complete_with(&look("db"), "10.0.0.6"), mac);
    compose("up -d --scale worker=1 -t 1");
    assert_eq!(host_links(docker).len(), 3);
    compose("down -t 1");
    assert_nothing_left(docker);
    compose("up -d");
    assert_eq!(assert_complete_with(&look("web"), "10.0.0.5"), web);
    compose("down -t 1");
}

pub fn the_container_and_the_service_of_the_readme_are_on_the_lan(docker: &Docker) {
    let heading = "Docker and Compose, by a runtime";
    let seen = docker.sh(&block(heading, "sh")).ok();
    assert_complete_with(&seen, "10.0.0.20");
    docker.write("/srv/lan/compose.yaml", &block(heading, "yaml"));
    let compose = |line: &str| {
        let line = format!("cd /srv/lan && docker compose {line}");
        docker.sh(&line).ok()
    };
    compose("up -d");
    let seen = compose("exec -T web /bin/look");
    assert_complete_with(&seen, "10.0.0.20");
    compose("down -t 1");
}
