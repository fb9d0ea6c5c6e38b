//! Rows whose devices only the virtual machine has, against containers of podman:
//! the others are run against those of crun, runc and podman in worlds
//! (tests/runtimes/compat.rs).

use super::run::{Place, Program, judge};
use super::table::cases;
use crate::support::lab::{Container, PIPEWORK, has, run};
use crate::support::podman::{import_image, podman};
use crate::support::skip;
use crate::support::vm::vm;

#[test]
fn containers_of_podman_are_given_the_same_of_devices_that_few_kernels_have() {
    if !has("podman", "--version") {
        skip!("there is no podman");
    }
    vm!(|vm| {
        import_image();
        podman("run -d --name c1 --cgroups=disabled --network none bb:1 sleep 1000");
        let pid = podman("inspect -f {{.State.Pid}} c1");
        let container = Container::of_another("c1", pid.trim().parse().unwrap());
        let card = vm.nics("virtio_net").remove(0);
        let place = Place::new(vm, container, Some(card));
        let before = place.inside();
        // That the kernel itself is Open vSwitch is so here alone.
        let rows = cases().into_iter();
        for row in rows.filter(|row| !row.fits_a_world() || row.needs("ovs")) {
            let title = format!("case {}, {}", row.number, row.title);
            let given = match judge(&place, &row, &Program::ours()) {
                Ok(given) => given,
                Err(reason) => panic!("{title}: {reason}"),
            };
            if !row.unchanged {
                run(PIPEWORK, "detach c1");
            }
            before.assert_equal(&place.inside(), &title);
            drop(given);
            vm.restore().unwrap();
        }
        // It holds the namespace.
        drop(place);
        podman("rm -f -t 0 c1");
    });
}
