//! The words behind `install`.

use super::containerd::Way;
use super::docker::Default;
use super::target::Target;

/// What can follow the command: for completions.
pub const WORDS: [&str; 14] = [
    "podman",
    "docker",
    "containerd",
    "crio",
    "nerdctl",
    "all",
    "--dry-run",
    "--undo",
    "--verify",
    "--reload",
    "--set-as-default",
    "--nri",
    "--runtime",
    "--help",
];

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// In.
    Install,
    /// Out.
    Undo,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Which runtimes.
    pub targets: Vec<Target>,
    /// Whether they are those that are here, whichever.
    pub is_all: bool,
    pub mode: Mode,
    /// Only say what would be done.
    pub is_dry: bool,
    /// Run a container afterwards.
    pub verifies: bool,
    /// Have the runtime read its settings.
    pub reloads: bool,
    /// Docker's default.
    pub default: Default,
    /// How containerd is told.
    pub way: Way,
}

impl Options {
    /// `None` where the words are none.
    pub fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self {
            targets: Vec::new(),
            is_all: false,
            mode: Mode::Install,
            is_dry: false,
            verifies: false,
            reloads: false,
            default: Default::Stays,
            way: Way::Nri,
        };
        for word in words {
            match *word {
                "all" => options.is_all = true,
                "--dry-run" => options.is_dry = true,
                "--undo" => options.mode = Mode::Undo,
                "--verify" => options.verifies = true,
                "--reload" => options.reloads = true,
                "--set-as-default" => options.default = Default::Ours,
                "--nri" => options.way = Way::Nri,
                "--runtime" => options.way = Way::Runtime,
                name => {
                    let mut all = Target::ALL.into_iter();
                    let target = all.find(|target| target.word() == name)?;
                    options.targets.push(target);
                }
            }
        }
        if options.is_all {
            options.targets = Target::ALL.to_vec();
        }
        let is_default_free =
            options.default == Default::Stays || options.targets.contains(&Target::Docker);
        let is_meant = options.mode == Mode::Install || !options.verifies;
        (!options.targets.is_empty() && is_default_free && is_meant).then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_none_are_refused() {
        for words in [
            &[][..],
            &["--undo"],
            &["dockerd"],
            &["docker", "--force"],
            &["podman", "--set-as-default"],
            &["podman", "--undo", "--verify"],
        ] {
            assert!(Options::read(words).is_none(), "{words:?}");
        }
        let options = Options::read(&["all", "--dry-run"]).unwrap();
        assert_eq!(options.targets.len(), 5);
        assert!(options.is_all && options.is_dry);
    }

    #[test]
    fn completions_know_every_word() {
        for word in WORDS.iter().filter(|word| **word != "--help") {
            let words = match word.starts_with("--") {
                true => vec!["docker", *word],
                false => vec![*word],
            };
            assert!(Options::read(&words).is_some(), "{word}");
        }
    }
}
