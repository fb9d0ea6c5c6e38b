//! Cases 38 and 39: a network card that is moved, which only a machine with real
//! ones can show.

use std::process::Command;

use crate::support::lab::{PIPEWORK, ip, ip_json};
use crate::support::vm::vm;

#[test]
fn case_38_a_network_card_is_moved_and_comes_back_with_its_address() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        ip(&format!("addr add 192.0.2.7/24 dev {}", nic.name));
        let container = vm.container("direct");
        let guest = format!("pid:{}", container.pid());
        let words = ["--direct-phys", &nic.name, "-i", "container0", &guest];
        let output = Command::new(PIPEWORK)
            .args(words)
            .arg("10.0.0.5/24@10.0.0.1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        vm.inside(&container, || {
            let link = &ip_json("addr show container0")[0];
            assert_eq!(link["address"], nic.mac);
            assert_eq!(link["addr_info"][0]["local"], "10.0.0.5");
        });
        container.end();
        vm.gc().ok();
        let addresses = ip(&format!("-4 addr show dev {}", nic.name));
        assert!(addresses.contains("192.0.2.7/24"), "{addresses}");
        ip(&format!("addr del 192.0.2.7/24 dev {}", nic.name));
    });
}
