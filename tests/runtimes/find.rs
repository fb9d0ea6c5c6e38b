//! Containers of real runtimes by what people call them, plugged in while they
//! run.

use crate::lan::{RUNTIMES, import_image};
use crate::support::world::World;

/// podman's by name, id and prefix, and one that is stopped.
pub fn podmans_containers_are_found_and_plugged_in_while_they_run(world: &World) {
    import_image(world);
    let id = world
        .sh("podman run -d --name web --network none localhost/bb:1 /bin/busybox sleep 600")
        .ok();
    let id = id.trim();
    for (number, name) in ["web", id, &id[..12], "podman:web"].iter().enumerate() {
        let line = format!("pipework br0 -i lan{number} {name} 10.{number}.0.5/24");
        world.sh(&line).ok();
    }
    let addresses = world.sh("podman exec web /bin/busybox ip -4 addr").ok();
    for number in 0..4 {
        assert!(
            addresses.contains(&format!("10.{number}.0.5/24")),
            "{addresses}"
        );
    }
    let listed = world.sh("pipework list").ok();
    assert_eq!(listed.matches("\nweb ").count(), 4, "{listed}");
    world.sh("pipework check web && pipework detach web").ok();
    assert!(
        !world
            .sh("podman exec web /bin/busybox ip link")
            .ok()
            .contains("lan0")
    );
    world.sh("podman stop -t 0 web").ok();
    let stopped = world.sh("pipework br0 web 10.0.0.5/24");
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let text = stopped.stderr;
    assert!(
        text.contains("Docker inspect returned invalid PID 0"),
        "{text}"
    );
    assert!(text.contains("web (podman) is not running"), "{text}");
    world.sh("podman rm web").ok();
}

/// crun's and runc's by the id that their user chose.
pub fn containers_of_bare_runtimes_are_found_by_their_id(world: &World) {
    for runtime in RUNTIMES {
        let bundle = world.bundle("db", &[], &["/bin/look", "stay"]);
        world
            .sh(&format!(
                "{runtime} create --bundle {bundle} db >/tmp/db.log 2>&1 || {{ cat /tmp/db.log; exit 1; }}"
            ))
            .ok();
        world.sh("pipework br0 db 10.0.0.5/24").ok();
        let again = world.sh("pipework br0 db 10.0.0.5/24");
        assert_eq!(again.status.code(), Some(1), "{again:?}");
        assert!(again.stdout.contains("exists and is up"), "{again:?}");
        world.sh("pipework detach db").ok();
        // Its pid is that of another process by now, as after an end that the
        // runtime was not told of.
        let files = format!("/run/{runtime}/db/status /run/{runtime}/db/state.json");
        let reused = world.sh(&format!(
            "pid=$({runtime} state db | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p'); sleep 60 >/dev/null 2>&1 & other=$!
            for file in {files}; do [ ! -e $file ] || {{ cp $file $file.was; sed -i \"s/\\b$pid\\b/$other/g\" $file; }}; done
            pipework br0 db 10.0.0.5/24; code=$?; kill $other
            for file in {files}; do [ ! -e $file ] || mv $file.was $file; done; exit $code"
        ));
        assert!(
            reused.stderr.contains("db (oci) is not running"),
            "{reused:?}"
        );
        assert_eq!(reused.status.code(), Some(1), "{reused:?}");
        world.sh(&format!("{runtime} delete -f db")).ok();
    }
}
