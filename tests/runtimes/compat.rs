//! The table of the shell script's command line (compat/table.txt) against
//! containers that crun, runc and podman run; compat/mod.rs says where the rows run
//! that are left out.

use crate::lan::{eventually, import_image, podman};
use crate::support::world::World;
use crate::table::Case;
use crate::world_rows::{Runtime, every_row};

/// As many rows at least are run against each runtime.
const FEWEST: usize = 65;

pub fn containers_of_crun_are_given_what_the_script_gave_them(world: &World) {
    each_of_a_world(world, &Bare("crun"));
}

pub fn containers_of_runc_are_given_what_the_script_gave_them(world: &World) {
    each_of_a_world(world, &Bare("runc"));
}

pub fn containers_of_podman_are_given_what_the_script_gave_them(world: &World) {
    import_image(world);
    each_of_a_world(world, &Podman);
}

fn each_of_a_world(world: &World, runtime: &dyn Runtime) {
    world.bundle("c1", &[], &["/bin/busybox", "sleep", "600"]);
    every_row(world, runtime, Case::fits_a_world, FEWEST);
}

struct Bare(&'static str);

impl Runtime for Bare {
    fn start(&self, world: &World, name: &str) -> String {
        let runtime = self.0;
        let line = format!(
            "{runtime} create --bundle /srv/c1 {name} >/tmp/{name}.log 2>&1 && {runtime} start {name} \
             && {runtime} state {name} | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p'"
        );
        world.sh(&line).ok().trim().to_owned()
    }

    fn stop(&self, world: &World, name: &str) {
        let runtime = self.0;
        world.sh(&format!("{runtime} kill {name} KILL")).ok();
        let is_stopped = || {
            let state = world.sh(&format!("{runtime} state {name}")).ok();
            state.contains("\"stopped\"")
        };
        assert!(eventually(is_stopped));
    }

    fn remove(&self, world: &World, name: &str) {
        world.sh(&format!("{} delete -f {name}", self.0)).ok();
    }
}

struct Podman;

impl Runtime for Podman {
    fn start(&self, world: &World, name: &str) -> String {
        let run = "run -d --network none --name";
        let sleep = "localhost/bb:1 /bin/busybox sleep 600";
        podman(world, "crun", &format!("{run} {name} {sleep}")).ok();
        let pid = podman(
            world,
            "crun",
            &format!("inspect -f '{{{{.State.Pid}}}}' {name}"),
        );
        pid.ok().trim().to_owned()
    }

    fn stop(&self, world: &World, name: &str) {
        podman(world, "crun", &format!("stop -t 0 {name}")).ok();
    }

    fn remove(&self, world: &World, name: &str) {
        podman(world, "crun", &format!("rm -f -t 0 {name}")).ok();
    }
}
