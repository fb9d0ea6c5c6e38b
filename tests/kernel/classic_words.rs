//! The classic form's `route`, `rule` and `tc`: the programs of iproute2, unless
//! the host has a device of that name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::commands::{named, pipework, stdout};
use crate::macvlan::needs_macvlan;
use crate::support::lab::{Outcome, PIPEWORK, ip, ip_json, lab, run};
use crate::support::skip;

/// Says how it was called, and all that its environment held at that.
const TOOL: &str = "#!/bin/sh\necho \"$0\" \"$@\"\n/bin/cat /proc/$$/environ\n";

#[test]
fn a_device_called_as_a_tool_is_is_a_device() {
    lab!(|lab| {
        needs_macvlan!();
        let container = lab.container("web");
        let name = named(&container);
        let shown = pipework(&format!("rule {name} list"));
        assert!(stdout(shown.ok()).contains("lookup local"), "no tool");
        let _machine = lab.nic("route");
        let _other = lab.nic("tc");
        ip("link add rule type bridge");
        for (number, device) in ["route", "tc", "rule"].iter().enumerate() {
            let guest = format!("{name} 10.{number}.0.5/24");
            pipework(&format!("{device} -i lan{number} {guest}")).ok();
        }
        let kind = |ifname: &str| {
            let link = lab.inside(&container, || ip_json(&format!("-d link show {ifname}")));
            link[0]["linkinfo"]["info_kind"].as_str().map(str::to_owned)
        };
        assert_eq!(kind("lan0").as_deref(), Some("macvlan"));
        assert_eq!(kind("lan1").as_deref(), Some("macvlan"));
        assert_eq!(kind("lan2").as_deref(), Some("veth"));
        assert!(ip("link show master rule").contains("state"), "no port");
        let refused = pipework(&format!("rule {name} list"));
        assert_eq!(refused.code(), Some(1), "no tool any more: {refused:?}");
    });
}

/// Where the program is that a tool is taken from, if it is there.
fn place_of(program: &str) -> Option<String> {
    let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let mut places = folders.iter().map(|folder| format!("{folder}/{program}"));
    places.find(|place| Path::new(place).exists())
}

#[test]
fn a_tool_is_called_by_its_path_and_without_any_variable() {
    lab!(|lab| {
        let (Some(of_ip), Some(of_tc)) = (place_of("ip"), place_of("tc")) else {
            skip!("no iproute2");
        };
        let container = lab.container("web");
        let name = named(&container);
        fs::write("/run/tool", TOOL).unwrap();
        fs::set_permissions("/run/tool", fs::Permissions::from_mode(0o755)).unwrap();
        // From here on nobody in this lab has the real ones.
        for place in [&of_ip, &of_tc] {
            run("mount", &format!("--bind /run/tool {place}"));
        }
        for (words, called) in [
            (
                "route WEB show table 7",
                format!("{of_ip} route show table 7"),
            ),
            ("rule WEB list", format!("{of_ip} rule list")),
            ("tc WEB qdisc show", format!("{of_tc} qdisc show")),
        ] {
            let words = words.replace("WEB", &name);
            let output = Command::new(PIPEWORK)
                .args(words.split(' '))
                .env_clear()
                .env("TC_LIB_DIR", "/tmp/stranger")
                .env("PATH", "/tmp/stranger:/usr/bin:/bin")
                .output();
            let said = Outcome(output.unwrap());
            assert_eq!(stdout(&said), format!("{called}\n"), "{said:?}");
        }
    });
}
