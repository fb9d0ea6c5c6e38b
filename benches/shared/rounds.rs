//! What the command line of a benchmark with one table asks for.

/// How much is timed, and how strictly.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    number: Option<usize>,
    /// A look in between, on a machine that does other things.
    is_quick: bool,
}

impl Rounds {
    /// What is asked for: a number, and `--quick`. None without cargo's own `--bench`,
    /// which is how `cargo test --all-targets` calls a benchmark.
    pub fn asked(title: &str) -> Option<Self> {
        let arguments = || std::env::args().skip(1);
        if !arguments().any(|argument| argument == "--bench") {
            println!("SKIP: the {title} benchmark runs only under `cargo bench`");
            return None;
        }
        Some(Self {
            number: arguments().find_map(|argument| argument.parse().ok()),
            is_quick: arguments().any(|argument| argument == "--quick"),
        })
    }

    /// One of two, by how much time there is.
    pub fn pick<T>(self, usual: T, quick: T) -> T {
        if self.is_quick { quick } else { usual }
    }

    /// How often: the number that was asked for, or one of these.
    pub fn number(self, usual: usize, quick: usize) -> usize {
        self.number.unwrap_or_else(|| self.pick(usual, quick))
    }

    /// How many times its limit a figure may be.
    pub fn patience(self) -> f64 {
        self.pick(1.0, 50.0)
    }
}
