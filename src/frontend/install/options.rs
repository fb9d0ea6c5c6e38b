//! The words behind `install`.

use super::containerd::Way;
use super::docker::Default;
use super::target::Target;
use crate::frontend::given::Given;

/// What the runtimes are called: for completions.
pub const WORDS: [&str; 6] = ["podman", "docker", "containerd", "crio", "nerdctl", "all"];

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
    /// `None` where no runtime is named.
    pub fn read(given: &Given) -> Option<Self> {
        let words = given.words();
        let is_all = words.contains(&"all");
        let named = |word: &&str| Target::ALL.into_iter().find(|t| t.word() == *word);
        let targets = match is_all {
            true => Target::ALL.to_vec(),
            false => words.iter().filter_map(named).collect(),
        };
        let options = Self {
            targets,
            is_all,
            mode: match given.has("--undo") {
                true => Mode::Undo,
                false => Mode::Install,
            },
            is_dry: given.has("--dry-run"),
            verifies: given.has("--verify"),
            reloads: given.has("--reload"),
            default: match given.has("--set-as-default") {
                true => Default::Ours,
                false => Default::Stays,
            },
            way: match given.has("--runtime") {
                true => Way::Runtime,
                false => Way::Nri,
            },
        };
        (!options.targets.is_empty()).then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::commands::named;

    fn read(words: &[&str]) -> Option<Options> {
        let given = Given::read(named("install").unwrap(), words).ok()?;
        Options::read(&given)
    }

    #[test]
    fn words_that_are_none_are_refused() {
        for words in [
            &[][..],
            &["--undo"],
            &["dockerd"],
            &["docker", "--force"],
            &["podman", "--set-as-default"],
            &["podman", "--undo", "--verify"],
            &["containerd", "--nri", "--runtime"],
        ] {
            assert!(read(words).is_none(), "{words:?}");
        }
        let options = read(&["all", "--dry-run"]).unwrap();
        assert_eq!(options.targets.len(), 5);
        assert!(options.is_all && options.is_dry);
    }

    #[test]
    fn completions_know_every_word() {
        for word in named("install").unwrap().completions() {
            let words = match word.starts_with("--") {
                true => vec!["docker", word],
                false => vec![word],
            };
            assert!(read(&words).is_some(), "{word}");
        }
    }
}
