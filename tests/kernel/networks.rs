//! Named networks: what an administrator wrote takes the place of annotations.

use std::fs;

use crate::support::lab::{Lab, ip, ip_json, lab};

const DIRECTORY: &str = "/etc/pipework/networks.d";

/// Writes the file of a network, in the lab's own /etc.
pub fn write(name: &str, text: &str) {
    fs::create_dir_all(DIRECTORY).unwrap();
    fs::write(format!("{DIRECTORY}/{name}.toml"), text).unwrap();
}

/// The addresses of an interface of a container.
pub fn addresses(
    lab: &Lab,
    container: &crate::support::lab::Container,
    ifname: &str,
) -> Vec<String> {
    let shown = lab.inside(container, || ip_json(&format!("addr show dev {ifname}")));
    let all = shown[0]["addr_info"].as_array().unwrap().iter();
    let global = all.filter(|address| address["scope"] == "global");
    global
        .map(|a| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"]))
        .collect()
}

#[test]
fn a_container_names_a_network_and_no_interface_of_the_host() {
    lab!(|lab| {
        lab.bridge("br0");
        write("lan", "bridge = \"br0\"\nmtu = 1400\ngw = \"10.0.0.1\"\n");
        let container = lab.any_container();
        let asked = ["pipework.net=lan", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container, "eth1"), ["10.0.0.5/24"]);
        let link = lab.inside(&container, || ip_json("link show dev eth1"));
        assert_eq!(link[0]["mtu"], 1400);
        let route = lab.inside(&container, || ip("route show default"));
        assert!(route.contains("via 10.0.0.1"), "{route}");
    });
}

#[test]
fn a_broken_network_refuses_its_containers_and_no_others() {
    lab!(|lab| {
        lab.bridge("br0");
        write("lan", "bridge = \"br0\"\n");
        write("dmz", "bridge = \"br0\"\nvlna = 100\n");
        lab.attach(&lab.any_container(), &["pipework.net=lan"]).ok();
        let text = lab
            .attach(&lab.any_container(), &["pipework.net=dmz"])
            .refused(12);
        assert!(text.contains("networks.d/dmz.toml:2:1: "), "{text}");
        assert!(text.contains("did you mean vlan"), "{text}");
        let text = lab
            .attach(&lab.any_container(), &["pipework.net=lann"])
            .refused(10);
        assert!(text.contains("did you mean lan"), "{text}");
        fs::set_permissions(
            format!("{DIRECTORY}/lan.toml"),
            std::os::unix::fs::PermissionsExt::from_mode(0o666),
        )
        .unwrap();
        let text = lab
            .attach(&lab.any_container(), &["pipework.net=lan"])
            .refused(12);
        assert!(text.contains("may be written by others"), "{text}");
    });
}

#[test]
fn what_a_network_says_stays_as_it_is() {
    lab!(|lab| {
        lab.bridge("br0");
        write("lan", "bridge = \"br0\"\nopen = [\"ip\"]\n");
        for other in [
            "pipework.mtu=1300",
            "pipework.bridge=br1",
            "pipework.hostif=web0",
        ] {
            let text = lab
                .attach(&lab.any_container(), &["pipework.net=lan", other])
                .refused(10);
            assert!(text.contains("network lan "), "{text}");
        }
    });
}

#[test]
fn the_kernels_refusal_names_the_file_that_asked() {
    lab!(|lab| {
        write("lan", "parent = \"nothere0\"\nip = \"10.0.0.5/24\"\n");
        let text = lab
            .attach(&lab.any_container(), &["pipework.net=lan"])
            .refused(19);
        assert!(
            text.contains("networks.d/lan.toml:1 parent=nothere0"),
            "{text}"
        );
    });
}
