//! What stands behind a command, told apart by the table of commands.
//!
//! `lexopt` knows what is an option and what its value: `--format=dot`,
//! `--format dot`, and that nothing behind `--` is one. Which options there are
//! says the table, so that help, completions and this agree.

use lexopt::{Arg, Parser};

use super::commands::{Command, Opt, Value};
use crate::request::near;

/// The words behind a command.
#[derive(Debug, Default)]
pub struct Given {
    options: Vec<(&'static str, String)>,
    words: Vec<String>,
    /// Somebody wants to know how the command is called.
    pub wants_help: bool,
}

/// Why they cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The command has no such option.
    #[error("{command} has no option {option}{}", meant.map_or(String::new(), |m| format!("; did you mean {m}")))]
    Unknown {
        /// The command.
        command: &'static str,
        /// As it was written.
        option: String,
        /// The one that was most likely meant.
        meant: Option<&'static str>,
    },
    /// The command has some words, and this is none of them.
    #[error("{command} knows no {word}{}", meant.map_or(String::new(), |m| format!("; did you mean {m}")))]
    Word {
        /// The command.
        command: &'static str,
        /// As it was written.
        word: String,
        /// The one that was most likely meant.
        meant: Option<&'static str>,
    },
    /// An option lacks its value.
    #[error("{option} needs a value: {wanted}")]
    NoValue {
        /// The option.
        option: &'static str,
        /// What it may be.
        wanted: String,
    },
    /// An option has a value, and none belongs there.
    #[error("{option} takes no value, and here is {value}")]
    NeedlessValue {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
    },
    /// The value is none of those that there are.
    #[error("{option} is {wanted}, not {value}")]
    WrongValue {
        /// The option.
        option: &'static str,
        /// What it may be.
        wanted: String,
        /// What it is.
        value: String,
    },
    /// Each is fine without the other.
    #[error("{first} does not go together with {second}")]
    Together {
        /// An option.
        first: &'static str,
        /// Another one, or a word.
        second: String,
    },
    /// An option of some of a command's words, and none of them stands there.
    #[error("{option} is for {wanted} alone")]
    Needs {
        /// The option.
        option: &'static str,
        /// The words.
        wanted: &'static str,
    },
    /// A field lacks its value.
    #[error("{0} is no FIELD=VALUE")]
    NoField(String),
    /// Fields are needed.
    #[error("no field is given; `pipework keys` lists them")]
    NoFields,
    /// The command has no such words, or not so many.
    #[error("{command} does not take these words: {words}")]
    Words {
        /// The command.
        command: &'static str,
        /// As they were written.
        words: String,
    },
}

/// Options of a command that contradict each other, or any word.
const APART: [(&str, &str, Option<&str>); 5] = [
    ("install", "--nri", Some("--runtime")),
    ("install", "--undo", Some("--verify")),
    ("detach", "--all", None),
    ("leases", "--json", None),
    ("keys", "--markdown", None),
];

impl Given {
    /// Reads the words behind `command`, of which none contradict each other unless
    /// help is wanted.
    pub fn read(command: &'static Command, words: &[&str]) -> Result<Self, Fault> {
        let given = Self::told_apart(command, words)?;
        match given.contradiction(command) {
            Some(fault) if !given.wants_help => Err(fault),
            Some(_) | None => Ok(given),
        }
    }

    /// Each of the words by itself.
    fn told_apart(command: &'static Command, words: &[&str]) -> Result<Self, Fault> {
        let mut given = Self::default();
        let mut parser = Parser::from_args(words);
        loop {
            // The one error of this step is a value where none belongs, and that
            // is looked for below, when it is known to whom it belongs.
            let written = match parser.next() {
                Ok(None) | Err(_) => return Ok(given),
                Ok(Some(Arg::Value(word))) => {
                    let word = word.to_string_lossy().into_owned();
                    given.words.push(known(command, word)?);
                    continue;
                }
                Ok(Some(Arg::Short('h') | Arg::Long("help"))) => {
                    given.wants_help = true;
                    continue;
                }
                Ok(Some(Arg::Short(letter))) => format!("-{letter}"),
                Ok(Some(Arg::Long(name))) => format!("--{name}"),
            };
            let option = command.options.iter().find(|o| o.name == written);
            let option = option.ok_or_else(|| unknown(command, written))?;
            let value = value_of(option, &mut parser)?;
            given.options.push((option.name, value));
        }
    }

    /// Why `command` does not take what is given although each of it is known; `None`
    /// where it lacks something, which its usage shows.
    pub fn fault(&self, command: &'static Command) -> Option<Fault> {
        let words = self.words();
        let takes_fields = command.arguments.contains("FIELD=VALUE");
        let fields = words.get(1..).unwrap_or_default().iter().copied();
        let mut fields = fields.chain(self.values("--annotation"));
        if takes_fields && let Some(word) = fields.find(|word| !word.contains('=')) {
            Some(Fault::NoField(word.to_owned()))
        } else if words.is_empty() {
            None
        } else if takes_fields {
            Some(Fault::NoFields)
        } else {
            Some(Fault::Words {
                command: command.name,
                words: words.join(" "),
            })
        }
    }

    fn contradiction(&self, command: &Command) -> Option<Fault> {
        let words = self.words();
        let of_it = APART.iter().filter(|(name, ..)| *name == command.name);
        let mut given = of_it.filter(|(_, first, _)| self.has(first));
        let together = given.find_map(|(_, first, second)| {
            let second = match second {
                Some(option) => self.has(option).then_some(*option),
                None => words.first().copied(),
            };
            let second = second?.to_owned();
            Some(Fault::Together { first, second })
        });
        let is_dockers = words.iter().any(|word| ["docker", "all"].contains(word));
        let lacks = self.has("--set-as-default") && !words.is_empty() && !is_dockers;
        together.or(lacks.then_some(Fault::Needs {
            option: "--set-as-default",
            wanted: "docker",
        }))
    }

    /// Whether an option was written.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// The value of an option, the last if it was written several times.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// All values of an option, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let all = self
            .options
            .iter()
            .filter(move |(option, _)| *option == name);
        all.map(|(_, value)| value.as_str())
    }

    /// Whether any option was written.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// The words that belong to no option.
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }
}

/// A word that is no option, if the command may have it.
fn known(command: &Command, word: String) -> Result<String, Fault> {
    match command.is_closed && !command.words.contains(&word.as_str()) {
        false => Ok(word),
        true => Err(Fault::Word {
            command: command.name,
            meant: near(&word, command.words.iter().copied()),
            word,
        }),
    }
}

fn unknown(command: &Command, option: String) -> Fault {
    Fault::Unknown {
        command: command.name,
        meant: near(&option, command.options.iter().map(|o| o.name)),
        option,
    }
}

fn value_of(option: &'static Opt, parser: &mut Parser) -> Result<String, Fault> {
    let Opt { name, value, .. } = option;
    let wanted = match value {
        Value::None => {
            return match parser.optional_value() {
                None => Ok(String::new()),
                Some(value) => Err(Fault::NeedlessValue {
                    option: name,
                    value: value.to_string_lossy().into_owned(),
                }),
            };
        }
        Value::Text(wanted) => (*wanted).to_owned(),
        Value::OneOf(words) => words.join(" or "),
    };
    let Ok(written) = parser.value() else {
        return Err(Fault::NoValue {
            option: name,
            wanted,
        });
    };
    let written = written.to_string_lossy().into_owned();
    match value {
        Value::OneOf(words) if !words.contains(&written.as_str()) => Err(Fault::WrongValue {
            option: name,
            wanted,
            value: written,
        }),
        Value::OneOf(_) | Value::Text(_) | Value::None => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::commands::named;

    fn read(command: &str, line: &str) -> Result<Given, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Given::read(named(command).unwrap(), &words).map_err(|fault| fault.to_string())
    }

    #[test]
    fn an_option_stands_anywhere_and_has_its_value_behind_a_blank_or_a_sign() {
        for line in ["--format dot", "--format=dot", "--format svg --format dot"] {
            let given = read("graph", line).unwrap();
            assert_eq!(given.value("--format"), Some("dot"), "{line}");
            assert!(given.words().is_empty());
        }
        let given = read("check", "--json web --repair").unwrap();
        assert!(given.has("--json") && given.has("--repair"));
        assert_eq!(given.words(), ["web"]);
    }

    #[test]
    fn what_stands_behind_two_hyphens_is_a_word() {
        let given = read("check", "--json -- --repair").unwrap();
        assert_eq!(given.words(), ["--repair"]);
        assert!(!given.has("--repair"));
    }

    #[test]
    fn a_fault_says_which_word_and_what_was_meant() {
        for (command, line, said) in [
            (
                "list",
                "--jsno",
                "list has no option --jsno; did you mean --json",
            ),
            ("list", "--frobnicate", "list has no option --frobnicate"),
            ("list", "-j", "list has no option -j"),
            (
                "list",
                "--json=yes",
                "--json takes no value, and here is yes",
            ),
            (
                "graph",
                "--format",
                "--format needs a value: svg or dot or mermaid",
            ),
            (
                "graph",
                "--format png",
                "--format is svg or dot or mermaid, not png",
            ),
            ("nri", "--socket", "--socket needs a value: PATH"),
            (
                "install",
                "--nri docker --runtime",
                "--nri does not go together with --runtime",
            ),
            (
                "keys",
                "ip --markdown",
                "--markdown does not go together with ip",
            ),
        ] {
            assert_eq!(read(command, line).unwrap_err(), said);
        }
    }

    #[test]
    fn whoever_asks_for_help_gets_it_wherever_it_stands() {
        for line in ["-h", "web --help", "--json -h"] {
            assert!(read("check", line).unwrap().wants_help, "{line}");
        }
        assert!(read("keys", "ip --markdown -h").unwrap().wants_help);
    }
}
