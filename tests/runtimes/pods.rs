//! Pods of `podman kube play`: pod annotations reach every container, and all
//! of them share one network namespace.

use crate::lan::{
    RUNTIMES, assert_complete_with, assert_nothing_left, host_links, import_image, looks, podman,
    sweep,
};
use crate::support::world::World;

/// What every pod here asks for; its spec follows.
const HEAD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: pod
  annotations:
    pipework.bridge: br0
    pipework.ip: 10.0.0.7/24@10.0.0.1
";

const SPEC: &str = "\
spec:
  initContainers:
  - {name: first, image: localhost/bb:1, command: [/bin/look]}
  containers:
  - {name: one, image: localhost/bb:1, command: [/bin/look, stay]}
  - {name: two, image: localhost/bb:1, command: [/bin/look, stay]}
";

/// An init container that looks, and writes what it saw to a folder of the host.
const SEEN_FIRST: &str = "\
spec:
  volumes:
  - {name: seen, hostPath: {path: /srv/seen, type: Directory}}
  initContainers:
  - name: first
    image: localhost/bb:1
    command: [/bin/sh, -c, /bin/look >/seen/by-first]
    volumeMounts: [{name: seen, mountPath: /seen}]
  containers:
  - {name: one, image: localhost/bb:1, command: [/bin/look, stay]}
";

pub fn an_init_container_sees_the_interface_that_the_others_will_have(world: &World) {
    import_image(world);
    world.write("/srv/pod.yaml", &format!("{HEAD}{SEEN_FIRST}"));
    for runtime in RUNTIMES {
        world.sh("rm -rf /srv/seen && mkdir /srv/seen").ok();
        podman(world, runtime, "kube play --network none /srv/pod.yaml").ok();
        let first = world.sh("cat /srv/seen/by-first").ok();
        let first = assert_complete_with(&first, "10.0.0.7");
        let one = assert_complete_with(&looks(world, "pod-one", 1)[0], "10.0.0.7");
        assert_eq!(first, one);
        podman(world, runtime, "kube down /srv/pod.yaml").ok();
        sweep(world);
        assert_nothing_left(world);
    }
}

pub fn the_containers_of_a_pod_share_one_interface_until_the_last_is_gone(world: &World) {
    import_image(world);
    world.write("/srv/pod.yaml", &format!("{HEAD}{SPEC}"));
    for runtime in RUNTIMES {
        podman(world, runtime, "kube play --network none /srv/pod.yaml").ok();
        let one = assert_complete_with(&looks(world, "pod-one", 1)[0], "10.0.0.7");
        let two = assert_complete_with(&looks(world, "pod-two", 1)[0], "10.0.0.7");
        assert_eq!(one, two);
        assert_eq!(host_links(world).len(), 1);

        podman(world, runtime, "rm -f -t 1 pod-one").ok();
        let left = podman(world, runtime, "exec pod-two /bin/look").ok();
        assert_eq!(assert_complete_with(&left, "10.0.0.7"), one);
        world.sh("ping -c 1 -W 2 10.0.0.7").ok();

        podman(world, runtime, "kube down /srv/pod.yaml").ok();
        // The pod's pause process, which has no annotations, may be the last
        // to leave the namespace; then no hook of ours sees its end.
        sweep(world);
        assert_nothing_left(world);
    }
}
