//! Starts that fail, by our word or by another hook's: what the user reads, and
//! what stays.

use crate::lan::{
    ASK, RUNTIMES, assert_complete, assert_nothing_left, eventually, host_links, import_image,
    podman, records, run_another,
};
use crate::support::world::{Output, World};

/// An address without a prefix length: request wrong, exit code 10.
const WRONG: &str = "--annotation pipework.bridge=br0 --annotation pipework.ip=10.0.0.5";

pub fn a_wrong_annotation_stops_the_container_and_runc_quotes_the_report(world: &World) {
    import_image(world);
    let refused = run_wrong(world, "runc");
    assert!(
        refused.stderr.contains("exit status 10"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("stderr: pipework: "),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("10.0.0.5 has no prefix length"),
        "{}",
        refused.stderr
    );
}

pub fn a_wrong_annotation_stops_the_container_and_crun_shows_the_exit_code(world: &World) {
    import_image(world);
    let refused = run_wrong(world, "crun");
    assert!(
        refused.stderr.contains("(exit code: 10)"),
        "{}",
        refused.stderr
    );
}

pub fn the_report_reaches_the_file_that_containers_conf_names_for_crun(world: &World) {
    import_image(world);
    world.write(
        "/etc/containers/containers.conf.d/50-pipework.conf",
        "[containers]\nannotations = [\"run.oci.hooks.stderr=/run/pipework-hook.err\"]\n",
    );
    run_wrong(world, "crun");
    let report = std::fs::read_to_string(world.path("/run/pipework-hook.err")).unwrap();
    let first = report.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("pipework: web: ") && first.contains("10.0.0.5 has no prefix length"),
        "{report}"
    );
}

pub fn a_later_hook_that_fails_leaves_a_record_that_later_runs_collect(world: &World) {
    const OTHER: &str = "/usr/share/containers/oci/hooks.d/99-other.json";
    import_image(world);
    for runtime in RUNTIMES {
        world.write(
            OTHER,
            r#"{"version": "1.0.0", "hook": {"path": "/bin/false"}, "when": {"always": true},
                "stages": ["createRuntime"]}"#,
        );
        let run = format!("run --rm --network none {ASK} localhost/bb:1 /bin/look");
        let failed = podman(world, runtime, &run);
        assert!(
            !failed.status.success() && failed.stdout.is_empty(),
            "{failed:?}"
        );
        std::fs::remove_file(world.path(OTHER)).unwrap();
        assert!(eventually(|| host_links(world).is_empty()));
        // One start in four looks, and in a quarter of the folders, so that it
        // costs the same beside a thousand containers.
        let starts = (0..150).take_while(|_| {
            run_another(world);
            !records(world).is_empty()
        });
        assert!(starts.count() < 150, "no start has looked at the record");
        assert_nothing_left(world);
        assert_complete(&podman(world, runtime, &run).ok());
    }
}

/// Runs a container that must not start, in vain.
fn run_wrong(world: &World, runtime: &str) -> Output {
    let run = format!("run --rm --name web --network none {WRONG} localhost/bb:1 /bin/look");
    let refused = podman(world, runtime, &run);
    assert!(!refused.status.success());
    assert_eq!(refused.stdout, "", "the workload has run");
    assert_nothing_left(world);
    assert_eq!(world.sh("podman ps -aq").ok(), "");
    refused
}
