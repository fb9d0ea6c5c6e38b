//! Which of several containers a word means.

use crate::commands::{pipework, stdout};
use crate::support::lab::{Container, Lab, lab};

/// Attaches a container that is called `web`, whatever its id.
fn web(lab: &Lab, id: &str, address: &str) -> Container {
    let container = lab.container(id);
    let ip = format!("pipework.ip={address}/24");
    // What a name gives would be that of both.
    let mac = format!("pipework.mac=02:00:00:00:00:{:02x}", id.len());
    let hostif = format!("pipework.hostif={id}");
    let asked = ["pipework.name=web", "pipework.bridge=br0"];
    let own = [ip.as_str(), &mac, &hostif];
    lab.attach(&container, &[asked.as_slice(), &own].concat())
        .ok();
    container
}

#[test]
fn a_name_means_the_container_that_lives_and_not_its_former_self() {
    lab!(|lab| {
        lab.bridge("br0");
        let former = web(lab, "former", "10.0.0.5");
        let now = web(lab, "now", "10.0.0.6");
        former.end();
        let said = stdout(pipework("check web").ok());
        assert_eq!(said, "1 interface is as it was made\n");
        let said = stdout(pipework("detach web").ok());
        assert_eq!(said, "eth1 of web is unplugged\n");
        let inside = lab.inside(&now, || crate::support::lab::ip("-br link show"));
        assert!(!inside.contains("eth1"), "{inside}");
        // Now it means what is left of the other one.
        assert_ne!(pipework("check web").code(), Some(0));
    });
}

#[test]
fn each_of_several_of_one_name_is_told_so_that_it_can_be_written() {
    lab!(|lab| {
        lab.bridge("br0");
        let _both = [web(lab, "one", "10.0.0.5"), web(lab, "other", "10.0.0.6")];
        let text = pipework("check web").stderr();
        let (_, words) = text.split_once("any of several: ").expect(&text);
        let words = words.lines().next().unwrap().split(", ");
        let words: Vec<&str> = words.collect();
        assert_eq!(words.len(), 2, "{text}");
        for word in words {
            let said = stdout(pipework(&format!("check {word}")).ok());
            assert_eq!(said, "1 interface is as it was made\n", "{word}");
        }
    });
}
