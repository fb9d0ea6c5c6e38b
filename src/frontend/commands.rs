//! The table of commands: what each is called, what follows it, and what it is
//! for. `--help`, the completions and the manual's synopsis are made of it.

mod table;

use crate::request::near;
pub use table::{COMMANDS, UPLINK};

/// The width of options in the help of one command, in characters.
const OPTION: usize = 30;

/// One command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The word, or two.
    pub name: &'static str,
    /// What follows it.
    pub arguments: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Its options.
    pub options: &'static [Opt],
    /// Words that may follow it and are no options, where they can be listed.
    pub words: &'static [&'static str],
    /// Whether no other words may follow it.
    pub is_closed: bool,
    /// A line that somebody might write; empty where there is nothing to show.
    pub example: &'static str,
    /// Who calls it.
    pub audience: Audience,
}

/// An option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// As it is written, with both hyphens.
    pub name: &'static str,
    /// What follows it.
    pub value: Value,
    /// What it is for, in one line.
    pub summary: &'static str,
}

/// The value of an option.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// It has none.
    None,
    /// Any text; called so in the help.
    Text(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const fn flag(name: &'static str, summary: &'static str) -> Opt {
    Opt {
        name,
        value: Value::None,
        summary,
    }
}

const fn valued(name: &'static str, value: &'static str, summary: &'static str) -> Opt {
    Opt {
        name,
        value: Value::Text(value),
        summary,
    }
}

const fn one_of(name: &'static str, words: &'static [&'static str], summary: &'static str) -> Opt {
    Opt {
        name,
        value: Value::OneOf(words),
        summary,
    }
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

use Audience::{Host, Person, Program};

impl Command {
    /// What may stand behind it: options, the words of options, and its own.
    pub fn completions(&self) -> Vec<&'static str> {
        let mut words: Vec<&str> = self.words.to_vec();
        for option in self.options {
            words.push(option.name);
            if let Value::OneOf(values) = option.value {
                words.extend(values);
            }
        }
        let further = UPLINK.iter().filter(|_| self.name == "uplink");
        words.extend(further.flat_map(Self::completions));
        words.sort_unstable();
        words.dedup();
        words
    }

    /// The call, its options, and an example.
    pub fn usage(&self) -> String {
        let call = format!("usage: pipework {} {}", self.name, self.arguments);
        let mut text = format!("{}    {}\n", call.trim_end(), self.summary);
        for Opt {
            name,
            value,
            summary,
        } in self.options
        {
            let option = match value {
                Value::None => (*name).to_owned(),
                Value::Text(value) => format!("{name} {value}"),
                Value::OneOf(words) => format!("{name} {}", words.join("|")),
            };
            match option.len() > OPTION {
                true => text.push_str(&format!("  {option}\n  {:OPTION$} {summary}\n", "")),
                false => text.push_str(&format!("  {option:OPTION$} {summary}\n")),
            }
        }
        if self.is_closed {
            text.push_str(&format!("  any of: {}\n", self.words.join(", ")));
        }
        if !self.example.is_empty() {
            text.push_str(&format!("example: {}\n", self.example));
        }
        text
    }
}

/// The command of that name.
pub fn named(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

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

/// The command that was most likely meant by a word that is none.
pub fn suggest(word: &str) -> Option<&'static str> {
    near(word, COMMANDS.iter().map(|command| command.name))
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

/// How the commands of that name are called; all of them, if there is none.
pub fn usage_of(name: &str) -> String {
    match named(name) {
        Some(Command { name: "uplink", .. }) => UPLINK.iter().map(Command::usage).collect(),
        Some(command) => command.usage(),
        None => help(),
    }
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
