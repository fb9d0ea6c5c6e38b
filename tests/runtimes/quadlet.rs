//! Units of systemd that podman makes of the ones that people write: the recipe is
//! read by podman's own generator.

use crate::support::world::World;

const GENERATOR: &str = "/usr/lib/systemd/system-generators/podman-system-generator";

/// The unit that the recipe shows.
fn unit() -> String {
    let recipes = include_str!("../../docs/recipes.md");
    let (_, after) = recipes.split_once("```ini\n").unwrap();
    let (unit, _) = after.split_once("```").unwrap();
    unit.to_owned()
}

pub fn the_unit_of_the_recipe_becomes_a_container_with_each_annotation(world: &World) {
    world.sh("mkdir -p /etc/containers/systemd").ok();
    world.write("/etc/containers/systemd/web.container", &unit());
    let made = world.sh(&format!("{GENERATOR} --dryrun")).ok();
    let start = made.lines().find(|line| line.starts_with("ExecStart="));
    // systemd reads either (systemd.syntax(7)).
    let start = start.unwrap_or_else(|| panic!("{made}"));
    let start = start.replace("\\x20", " ");
    for words in [
        "--network none",
        "--annotation pipework.parent=eth0",
        "--annotation pipework.ip=dhcp",
        "--annotation pipework.wait=30s",
        "--annotation \"pipework.route=10.1.0.0/16 via 192.168.1.2\"",
        "--name web",
    ] {
        let plain = words.replace("--network none", "--network=none");
        let plain = plain.replace("--name web", "--name=web");
        assert!(
            start.contains(words) || start.contains(&plain),
            "{words}: {start}"
        );
    }
    assert!(
        made.contains("After=network-online.target pipework.socket"),
        "{made}"
    );
}
