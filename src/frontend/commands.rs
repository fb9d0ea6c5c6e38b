//! The table of commands: what each is called, what follows it, and what it is
//! for. `--help`, the completions and the manual's synopsis are made of it.

use crate::frontend::{doctor, install};

/// One command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The word.
    pub name: &'static str,
    /// What follows it.
    pub arguments: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Its options and further words, for completions.
    pub words: &'static [&'static str],
    /// Who calls it.
    pub audience: Audience,
}

/// Who calls a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A person with containers.
    Person,
    /// Who administers the host.
    Host,
    /// A program.
    Program,
}

const fn command(
    name: &'static str,
    arguments: &'static str,
    words: &'static [&'static str],
    audience: Audience,
    summary: &'static str,
) -> Command {
    Command {
        name,
        arguments,
        summary,
        words,
        audience,
    }
}

use Audience::{Host, Person, Program};

/// Every command, in the order of the help.
pub const COMMANDS: &[Command] = &[
    command(
        "attach",
        "CONTAINER FIELD=VALUE...",
        &[],
        Person,
        "plug in a container that runs; `keys` lists the fields",
    ),
    command(
        "detach",
        "CONTAINER [INTERFACE] | --all",
        &["--all"],
        Person,
        "take back what was made, exactly",
    ),
    command(
        "list",
        "[--json] [--watch] [--failed]",
        &["--json", "--watch", "--failed"],
        Person,
        "who has what; --failed: who did not start",
    ),
    command(
        "check",
        "[CONTAINER] [--repair] [--json]",
        &["--repair", "--json"],
        Person,
        "what is no more as it was made, and mend it",
    ),
    command(
        "why",
        "CONTAINER",
        &[],
        Person,
        "why a container did not start",
    ),
    command(
        "plan",
        "[--annotation KEY=VALUE]...",
        &["--annotation"],
        Person,
        "say what would be done; without words, state on stdin",
    ),
    command(
        "keys",
        "[FIELD | --markdown]",
        &["--markdown"],
        Person,
        "list the fields, or explain one",
    ),
    command(
        "networks",
        "[NAME]",
        &[],
        Person,
        "list the named networks, or check and show one",
    ),
    command(
        "leases",
        "[--json] | release CONTAINER",
        &["--json", "release"],
        Person,
        "list the leases that are kept, or give one back",
    ),
    command(
        "uplink",
        "add|confirm|del|list|snippet|--help",
        &["add", "confirm", "del", "list", "snippet", "--help"],
        Host,
        "put a bridge in the place of a network card",
    ),
    command(
        "graph",
        "[--format svg|dot|mermaid]",
        &["--format", "svg", "dot", "mermaid"],
        Host,
        "draw what is plugged into what",
    ),
    command("gc", "", &[], Host, "remove what dead containers left"),
    command(
        "doctor",
        "[CHECK]... [--json]",
        &doctor::WORDS,
        Host,
        "look for what keeps containers off their networks",
    ),
    command(
        "install",
        "RUNTIME... [--dry-run|--undo]",
        &install::WORDS,
        Host,
        "tell podman, docker, containerd, crio or all of us",
    ),
    command("exit-codes", "", &[], Host, "list the exit codes"),
    command(
        "completions",
        "bash|zsh|fish",
        &["bash", "zsh", "fish"],
        Host,
        "print completions for a shell",
    ),
    command(
        "man",
        "",
        &[],
        Host,
        "print the manual page: pipework man | man -l -",
    ),
    command("version", "", &[], Host, "print the version"),
    command(
        "hook",
        "[--stage createRuntime|prestart|poststop]",
        &["--stage"],
        Program,
        "serve an OCI runtime, state on stdin",
    ),
    command(
        "daemon",
        "[--nri [OPTIONS]]",
        &["--nri", "--metrics", "--api-proxy"],
        Program,
        "keep leases, in the foreground; attach pods",
    ),
    command(
        "nri",
        "[OPTIONS]",
        &["--socket", "--name", "--index", "--metrics", "--api-proxy"],
        Program,
        "attach pods, in the foreground",
    ),
    command(
        "docker-plugin",
        "[--socket PATH]",
        &["--socket"],
        Program,
        "Docker's driver of networks and addresses, in the foreground",
    ),
    command(
        "runtime",
        "ARGUMENTS...",
        &[],
        Program,
        "an OCI runtime that plugs in at `start`, for Docker",
    ),
];

/// What stands behind the commands: the classic form, and what names a container.
const CLASSIC: &str = "\
as the shell script:
  pipework INTERFACE [-i NAME] [-l HOSTNAME] [-a 4|6] CONTAINER ADDRESS/LENGTH[@GATEWAY] [MAC][@VLAN]
  pipework INTERFACE ... CONTAINER dhcp [MAC][@VLAN]     INTERFACE: a bridge, a card, mac:MAC, dummy
  pipework --direct-phys CARD ...                        move the card itself
  pipework route|rule|tc CONTAINER WORDS                 ip route, ip rule or tc in there
  pipework --wait [-i NAME] [--timeout SECONDS]          inside: until the interface is there
  also: --ensure (no error if it is there), --dad (refuse an address that is in use)

CONTAINER: a name or id of Docker, podman, containerd, CRI-O, LXC, Incus, machined, runc or crun, or
a beginning of its id; ENGINE:NAME; pid:N; netns:NAME; the path of a network namespace.

  pipework attach web bridge=br0 ip=192.168.1.50/24@192.168.1.1
  pipework list                  pipework check web             pipework check web --repair
  pipework detach web            pipework why web
";

/// Whether a word is a command.
pub fn is_command(word: &str) -> bool {
    COMMANDS.iter().any(|command| command.name == word)
}

/// `--help`.
pub fn help() -> String {
    let mut text = "usage: pipework COMMAND ...\n".to_owned();
    let of = |audience| COMMANDS.iter().filter(move |c| c.audience == audience);
    for (audience, title) in [
        (Person, "containers"),
        (Host, "this host"),
        (Program, "called by programs"),
    ] {
        text.push_str(&format!("\n{title}:\n"));
        for command in of(audience) {
            let call = format!("{} {}", command.name, command.arguments);
            text.push_str(&format!("  {:46} {}\n", call.trim_end(), command.summary));
        }
    }
    format!("{text}\n{CLASSIC}")
}

/// How one command is called.
pub fn usage_of(name: &str) -> String {
    let found = COMMANDS.iter().find(|command| command.name == name);
    found.map_or_else(help, |command| {
        let call = format!("usage: pipework {} {}", command.name, command.arguments);
        format!("{}    {}\n", call.trim_end(), command.summary)
    })
}

/// The manual's synopsis, in roff.
pub fn synopsis() -> String {
    let escaped = |text: &str| text.replace('-', "\\-");
    let lines = COMMANDS.iter().map(|command| {
        let (name, arguments) = (escaped(command.name), escaped(command.arguments));
        match arguments.is_empty() {
            true => format!(".B pipework {name}\n.br\n"),
            false => format!(".B pipework {name}\n{arguments}\n.br\n"),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_every_command_and_fits_a_terminal() {
        let help = help();
        for command in COMMANDS {
            assert!(
                help.contains(&format!("\n  {}", command.name)),
                "{}",
                command.name
            );
        }
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= 110, "{longest:?}");
        assert!(help.lines().count() < 50);
    }
}
