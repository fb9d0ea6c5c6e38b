//! `pipework graph` of a real host: every device and container, in every format.

use std::fs;
use std::process::Command;

use crate::support::lab::{Container, Lab, PIPEWORK, has, ip, lab};
use crate::support::skip;

fn graph(format: &str) -> String {
    let mut command = Command::new(PIPEWORK);
    let output = command.args(["graph", "--format", format]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bridge with an address, another one, and containers on one, on both and on
/// a card.
fn furnish(lab: &Lab, containers: usize) -> (Vec<Container>, Vec<String>) {
    lab.bridge("br0");
    lab.bridge("br1");
    ip("addr add 192.0.2.1/24 dev br0");
    let mut expected: Vec<String> = ["br0", "192.0.2.1/24", "br1"].map(str::to_owned).to_vec();
    let mut living = Vec::new();
    for number in 0..containers {
        let name = format!("web-{number}");
        let address = format!("10.0.{}.5/24", number + 1);
        let container = lab.container(&name);
        let asked = [
            "pipework.0.bridge=br0".to_owned(),
            format!("pipework.0.ip={address}"),
            "pipework.1.bridge=br1".to_owned(),
        ];
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        lab.attach(&container, if number == 0 { &asked } else { &asked[..2] })
            .ok();
        expected.extend([name, address]);
        living.push(container);
    }
    (living, expected)
}

#[test]
fn every_device_and_container_is_in_every_format() {
    lab!(|lab| {
        let (_living, expected) = furnish(lab, 3);
        for format in ["svg", "dot", "mermaid"] {
            let text = graph(format);
            for name in &expected {
                assert!(
                    text.contains(name.as_str()),
                    "{format} has no {name}: {text}"
                );
            }
        }
        let dot = graph("dot");
        assert_eq!(dot.matches("[label=\"eth1\"]").count(), 3, "{dot}");
        assert_eq!(dot.matches("[label=\"eth2\"]").count(), 1, "{dot}");
    });
}

#[test]
fn the_picture_is_one_that_a_renderer_draws() {
    lab!(|lab| {
        let _living = furnish(lab, 2);
        if !has("rsvg-convert", "--version") {
            skip!("no rsvg-convert");
        }
        fs::write("/run/graph.svg", graph("svg")).unwrap();
        let arguments = ["-o", "/run/graph.png", "/run/graph.svg"];
        let drawn = Command::new("rsvg-convert")
            .args(arguments)
            .output()
            .unwrap();
        assert!(drawn.status.success(), "{drawn:?}");
        let picture = fs::read("/run/graph.png").unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2000);
    });
}

#[test]
fn an_end_of_a_pair_is_drawn_once_something_is_plugged_into_it() {
    lab!(|lab| {
        ip("link add lan0 type veth peer name away");
        ip("link set lan0 up");
        assert!(!graph("dot").contains("lan0"));
        let container = lab.container("web");
        let asked = ["pipework.parent=lan0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &asked).ok();
        let dot = graph("dot");
        assert!(
            dot.contains("lan0") && !dot.contains("not on the host"),
            "{dot}"
        );
        assert!(!dot.contains("away"), "{dot}");
    });
}

#[test]
fn who_is_gone_is_drawn_as_gone_and_other_words_are_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let mut container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        container.kill();
        assert!(graph("svg").contains("(gone)"));
        let refused = Command::new(PIPEWORK)
            .args(["graph", "--format", "png"])
            .output();
        assert_eq!(refused.unwrap().status.code(), Some(2));
    });
}
