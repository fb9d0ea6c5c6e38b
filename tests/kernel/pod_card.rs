//! A card that a pod has itself, under a runtime of the tests' own (nri/mock.rs): it
//! comes back when the pod is stopped, while the pod's process still is there.

use std::time::Duration;

use crate::mock::{CONTAINERD, Runtime, has, pod, records, said};
use crate::support::lab::ip;
use crate::support::ovs::eventually;
use crate::support::vm::vm;

/// Also on an emulated processor.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_card_that_a_pod_has_comes_back_with_its_stop_as_it_was() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let name = &nic.name;
        ip(&format!("link set {name} mtu 1400 up"));
        ip(&format!("addr add 10.9.0.1/24 dev {name}"));
        ip(&format!("route add 10.10.0.0/16 via 10.9.0.254 dev {name}"));
        let host = vm.snapshot();
        let web = vm.container("web");
        let runtime = Runtime::start(CONTAINERD, &[]);
        let rule = format!(
            "[[rule]]\ncaller = [\"namespace:shop\"]\nuplink = [\"{name}\"]\n\
             kind = [\"phys\"]\ncidr = [\"10.0.0.0/16\"]\nmac = \"any\"\n"
        );
        std::fs::write("/etc/pipework/policy.toml", rule).unwrap();
        let device = format!("pipework.device={name}");
        let asks = pod(&web, &[&device, "pipework.ip=10.0.0.5/24"]);
        runtime.run_within(&asks, PATIENCE).unwrap();
        assert!(has(vm, &web, "net1"), "{}", said());
        assert_eq!(nic.present_name(), None);
        let stop = runtime.tell_within("StopPodSandbox", &asks, PATIENCE);
        stop.unwrap();
        eventually("nothing is kept", || records() == 0);
        assert_eq!(nic.present_name().as_ref(), Some(name));
        host.assert_equal(&vm.snapshot(), "host");
    });
}
