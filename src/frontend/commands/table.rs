//! The table itself: every command with its options, in the order of the help.

use super::Audience::{Host, Person, Program};
use super::{Command, Opt, flag, one_of, valued};
use crate::frontend::{doctor, install};

const JSON: Opt = flag("--json", "for programs: a list in JSON");

const fn command(
    name: &'static str,
    arguments: &'static str,
    audience: super::Audience,
    summary: &'static str,
) -> Command {
    Command {
        name,
        arguments,
        summary,
        options: &[],
        words: &[],
        is_closed: false,
        example: "",
        audience,
    }
}

/// Every command.
pub const COMMANDS: &[Command] = &[
    Command {
        options: &[ANNOTATION],
        example: "pipework attach web bridge=br0 ip=192.168.1.50/24@192.168.1.1",
        ..command(
            "attach",
            "CONTAINER FIELD=VALUE...",
            Person,
            "plug in a container that runs; `keys` lists the fields",
        )
    },
    Command {
        options: &[flag("--all", "everything of every container")],
        example: "pipework detach web eth1",
        ..command(
            "detach",
            "CONTAINER [INTERFACE] | --all",
            Person,
            "take back what was made, exactly",
        )
    },
    Command {
        options: &[
            JSON,
            flag("--watch", "again every two seconds"),
            flag("--failed", "who did not start instead; `why` tells more"),
        ],
        ..command(
            "list",
            "[--json] [--watch] [--failed]",
            Person,
            "who has what; --failed: who did not start",
        )
    },
    Command {
        options: &[flag("--repair", "make good what differs"), JSON],
        example: "pipework check web --repair",
        ..command(
            "check",
            "[CONTAINER] [--repair] [--json]",
            Person,
            "what is no more as it was made, and mend it",
        )
    },
    command("why", "CONTAINER", Person, "why a container did not start"),
    Command {
        options: &[valued(
            "--annotation",
            "KEY=VALUE",
            "an annotation as a runtime hands it on, whole",
        )],
        example: "pipework plan bridge=br0 ip=192.168.1.50/24@192.168.1.1",
        ..command(
            "plan",
            "[CONTAINER] FIELD=VALUE...",
            Person,
            "say what would be done, and do nothing",
        )
    },
    Command {
        options: &[flag("--markdown", "a table for a document")],
        example: "pipework keys ip",
        ..command(
            "keys",
            "[FIELD | --markdown]",
            Person,
            "list the fields, or explain one",
        )
    },
    Command {
        options: &[JSON],
        example: "pipework networks lan",
        ..command(
            "networks",
            "[NAME] [--json]",
            Person,
            "list the named networks, or check and show one",
        )
    },
    Command {
        options: &[JSON],
        words: &["release"],
        example: "pipework leases release web",
        ..command(
            "leases",
            "[--json] | release CONTAINER",
            Person,
            "list the leases that are kept, or give one back",
        )
    },
    Command {
        words: &["add", "confirm", "del", "list", "snippet"],
        example: "pipework uplink add br0 eth0",
        ..command(
            "uplink",
            "add|confirm|del|list|snippet",
            Host,
            "put a bridge in the place of a network card",
        )
    },
    Command {
        options: &[one_of(
            "--format",
            &["svg", "dot", "mermaid"],
            "a picture, or text for Graphviz or for a wiki",
        )],
        example: "pipework graph > network.svg",
        ..command(
            "graph",
            "[--format svg|dot|mermaid]",
            Host,
            "draw what is plugged into what",
        )
    },
    Command {
        options: &[
            valued(
                "--docker-network",
                "ID",
                "end this network of Docker's, which no dockerd has any more",
            ),
            flag("--force", "the same where no dockerd answers"),
        ],
        ..command(
            "gc",
            "[--docker-network ID [--force]]",
            Host,
            "remove what dead containers left",
        )
    },
    Command {
        options: &[JSON],
        words: &doctor::WORDS,
        is_closed: true,
        ..command(
            "doctor",
            "[CHECK]... [--json]",
            Host,
            "look for what keeps containers off their networks",
        )
    },
    Command {
        options: &[
            flag("--dry-run", "say what would be written, and write nothing"),
            flag("--undo", "take out again what was set, and that alone"),
            flag("--verify", "run a container afterwards, and look"),
            flag("--reload", "have the runtime read its settings"),
            flag(
                "--set-as-default",
                "docker: for containers that name no runtime",
            ),
            flag("--nri", "containerd: by its plugins; so without a word"),
            flag("--runtime", "containerd: by a runtime handler"),
        ],
        words: &install::WORDS,
        is_closed: true,
        example: "pipework install podman --dry-run",
        ..command(
            "install",
            "RUNTIME... [--dry-run|--undo]",
            Host,
            "tell podman, docker, containerd, crio, nerdctl or all of us",
        )
    },
    command(
        "exit-codes",
        "[CODE]",
        Host,
        "list the exit codes, or explain one",
    ),
    Command {
        words: &["bash", "zsh", "fish"],
        is_closed: true,
        ..command(
            "completions",
            "bash|zsh|fish",
            Host,
            "print completions for a shell",
        )
    },
    command(
        "man",
        "",
        Host,
        "print the manual page: pipework man | man -l -",
    ),
    command("version", "", Host, "print the version"),
    Command {
        options: &[one_of(
            "--stage",
            &["createRuntime", "prestart", "poststop"],
            "which hook this is",
        )],
        ..command(
            "hook",
            "[--stage createRuntime|prestart|poststop]",
            Program,
            "serve an OCI runtime, state on stdin",
        )
    },
    Command {
        options: &[
            flag("--nri", "attach pods as well, with the options of `nri`"),
            flag("--docker", "be Docker's driver of networks as well"),
            SOCKET,
            METRICS,
            PROXY,
        ],
        ..command(
            "daemon",
            "[--nri [OPTIONS]] [--docker]",
            Program,
            "keep leases, in the foreground; attach pods",
        )
    },
    Command {
        options: &[
            SOCKET,
            valued("--name", "NAME", "of the plugin; pipework"),
            valued("--index", "NN", "its place among the plugins; 10"),
            METRICS,
            PROXY,
        ],
        ..command(
            "nri",
            "[OPTIONS]",
            Program,
            "attach pods, in the foreground",
        )
    },
    Command {
        options: &[valued(
            "--socket",
            "PATH",
            "where to listen; where dockerd looks for plugins",
        )],
        ..command(
            "docker-plugin",
            "[--socket PATH]",
            Program,
            "Docker's driver of networks and addresses, in the foreground",
        )
    },
    command(
        "runtime",
        "ARGUMENTS...",
        Program,
        "an OCI runtime that plugs in at `start`, for Docker",
    ),
];

const ANNOTATION: Opt = valued(
    "--annotation",
    "FIELD=VALUE",
    "the same as FIELD=VALUE alone, as podman has it",
);
const SOCKET: Opt = valued("--socket", "PATH", "the runtime's; /var/run/nri/nri.sock");
const METRICS: Opt = valued(
    "--metrics",
    "ADDRESS",
    "answer GET /metrics and /healthz there: 127.0.0.1:9464, or a path",
);
const PROXY: Opt = valued(
    "--api-proxy",
    "PATH",
    "write network-status to pods, by kubectl proxy --unix-socket=PATH",
);

const KINDS: &[&str] = &["networkd", "networkmanager", "ifupdown", "netplan"];
const DRY: Opt = flag("--dry-run", "change nothing: say what would be done");

/// What follows `uplink`.
pub const UPLINK: &[Command] = &[
    Command {
        options: &[
            valued("--vlan", "ID", "plug in that VLAN of the card instead"),
            one_of(
                "--bond",
                &["active-backup", "802.3ad"],
                "bond several cards",
            ),
            valued(
                "--confirm-within",
                "TIME",
                "go back unless confirmed; 60s, 0 is never",
            ),
            flag("--keep-lifetimes", "move addresses that are leased, too"),
            flag("--force", "pass over a manager that owns the card"),
            DRY,
            one_of(
                "--print-config",
                KINDS,
                "change nothing: print what makes it at every boot",
            ),
        ],
        example: "pipework uplink add br0 eth0 --dry-run",
        ..command(
            "uplink add",
            "BRIDGE NIC [NIC]...",
            Host,
            "give the bridge the card's place",
        )
    },
    command("uplink confirm", "[BRIDGE]", Host, "keep it"),
    Command {
        options: &[DRY],
        ..command(
            "uplink del",
            "BRIDGE [--dry-run]",
            Host,
            "give the card its place back",
        )
    },
    command("uplink list", "", Host, "bridges that have a card's place"),
    Command {
        words: KINDS,
        ..command(
            "uplink snippet",
            "BRIDGE networkd|networkmanager|ifupdown|netplan",
            Host,
            "print what makes it at every boot",
        )
    },
];
