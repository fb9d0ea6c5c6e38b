//! What Docker's user reads where a container must not start.

use crate::engine::{ASK, Docker};
use crate::lan::{assert_nothing_left, records};

pub fn what_is_refused_is_told_by_docker_and_leaves_nothing(docker: &Docker) {
    let links = docker.sh("ip -o link | cut -d: -f2").ok();
    let asked = [
        (
            format!("--network host {ASK}"),
            "the container uses the network of the host",
        ),
        (
            format!("--network none {ASK} --annotation pipework.ipp=1"),
            "did you mean pipework.ip",
        ),
        (
            "--network none --runtime pipework --annotation pipework.bridge=nosuch0 \
             --annotation pipework.ip=10.0.0.5/24"
                .to_owned(),
            "nosuch0",
        ),
    ];
    for (options, said) in asked {
        let refused = docker.docker(&format!("run --name web {options} bb /bin/look"));
        assert!(!refused.status.success(), "{options}");
        assert_eq!(refused.stdout, "", "{options}");
        let told = refused.stderr;
        assert!(told.contains("pipework: ") && told.contains(said), "{told}");
        let why = docker.sh("pipework why web").stdout;
        assert!(why.contains(said), "{why}");
        docker.docker("rm web").ok();
        assert_nothing_left(docker);
        assert_eq!(records(docker), [""; 0]);
        assert_eq!(docker.sh("ip -o link | cut -d: -f2").ok(), links);
    }
}

pub fn a_runtime_that_is_not_there_is_named(docker: &Docker) {
    for (runtime, said) in [
        ("/usr/bin/nosuch", "executing /usr/bin/nosuch: "),
        ("/usr/bin/pipework-runtime", "is pipework itself"),
        ("runc", "which is no absolute path"),
    ] {
        docker.write(
            "/etc/pipework/config.toml",
            &format!("runtime = \"{runtime}\"\n"),
        );
        let refused = docker.docker("run --rm --runtime pipework --network none bb /bin/look");
        assert!(!refused.status.success());
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    // What runs is stopped whatever the settings say.
    docker.sh("rm /etc/pipework/config.toml").ok();
    docker
        .docker("run -d --name plain --runtime pipework --network none bb /bin/look stay")
        .ok();
    docker.write("/etc/pipework/config.toml", "runtimes = 1\n");
    docker.docker("exec plain /bin/look").ok();
    docker.docker("rm -f plain").ok();
    docker.write("/etc/pipework/config.toml", "runtime = \"/usr/bin/crun\"\n");
    let by_crun = docker.docker(&format!("run --rm --network none {ASK} bb /bin/look"));
    crate::lan::assert_complete(&by_crun.ok());
}
