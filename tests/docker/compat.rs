//! The table of the shell script's command line (compat/table.txt) against Docker's
//! own containers, which dockerd is asked for by its socket.

use crate::engine::Docker;
use crate::support::world::World;
use crate::table::Case;
use crate::world_rows::{Runtime, every_row};

/// As many rows at least are run: all that need no rare device, but for the one without
/// Docker.
const FEWEST: usize = 65;

pub fn containers_of_docker_are_given_what_the_script_gave_them(docker: &Docker) {
    every_row(docker, &Dockers, Case::fits_docker, FEWEST);
}

struct Dockers;

impl Runtime for Dockers {
    fn start(&self, world: &World, name: &str) -> String {
        let run = format!("docker run -d --network none --name {name} bb /bin/busybox sleep 600");
        world.sh(&run).ok();
        let inspect = format!("docker inspect -f '{{{{.State.Pid}}}}' {name}");
        world.sh(&inspect).ok().trim().to_owned()
    }

    fn stop(&self, world: &World, name: &str) {
        world.sh(&format!("docker stop -t 0 {name}")).ok();
    }

    fn remove(&self, world: &World, name: &str) {
        world.sh(&format!("docker rm -f {name}")).ok();
    }

    fn starts_slowly(&self) -> bool {
        true
    }
}
