//! The table of cases as data; `table.txt` says what each of its lines means.

/// One run and what is expected of it.
#[derive(Debug, Default, Clone)]
pub struct Case {
    /// Its number in the list of what was measured of the script.
    pub number: u32,
    /// What it is about.
    pub title: String,
    /// Ours is meant to differ from the script.
    pub is_fix: bool,
    /// What the kernel or the test must have.
    pub needs: Vec<String>,
    /// What is done first.
    pub given: Vec<String>,
    /// The arguments.
    pub run: Vec<String>,
    /// The exit code.
    pub code: i32,
    /// Lines on stdout.
    pub stdout: Vec<String>,
    /// Lines on stderr.
    pub stderr: Vec<String>,
    /// How many lines it says on stdout.
    pub lines: Option<usize>,
    /// It says nothing at all.
    pub silent: bool,
    /// What `ip` says inside, and on the host.
    pub guest: Vec<Look>,
    /// The same on the host.
    pub host: Vec<Look>,
    /// What `bridge` says on the host.
    pub bridge: Vec<Look>,
    /// What `ovs-vsctl` says there.
    pub ovs: Vec<Look>,
    /// Nothing has changed.
    pub unchanged: bool,
}

/// What a command of `ip` or `bridge` says.
#[derive(Debug, Clone)]
pub struct Look {
    /// Its words.
    pub command: String,
    /// What is among it.
    pub text: String,
    /// Whether it is.
    pub there: bool,
}

impl Look {
    fn parse(line: &str) -> Self {
        let (command, text) = line.split_once(" :: ").expect("COMMAND :: TEXT");
        Self {
            command: command.to_owned(),
            text: text.trim_start_matches('!').to_owned(),
            there: !text.starts_with('!'),
        }
    }
}

impl Case {
    /// Whether a world (support/world.rs) has what it takes, whatever the kernel:
    /// any other is for the virtual machine.
    pub fn fits_a_world(&self) -> bool {
        let is_at_hand = |need: &String| AT_HAND.contains(&need.as_str());
        let is_elsewhere = |line: &String| line.starts_with("docker");
        self.needs.iter().all(is_at_hand) && !self.given.iter().any(is_elsewhere)
    }

    /// Whether such a world has it where Docker runs as well.
    #[allow(dead_code, reason = "Docker's tests alone have one")]
    pub fn fits_docker(&self) -> bool {
        let is_at_hand = |need: &String| AT_HAND.contains(&need.as_str());
        self.needs.iter().all(is_at_hand) && !self.needs("no_docker")
    }

    /// Whether a line says that it is needed.
    pub fn needs(&self, need: &str) -> bool {
        self.needs.iter().any(|word| word == need)
    }

    /// With each of these names, as `{pid}`, replaced by what it stands for.
    pub fn filled(mut self, places: &[(&str, &str)]) -> Self {
        let fill = |text: &mut String| {
            for (name, value) in places {
                *text = text.replace(name, value);
            }
        };
        let lines = [
            &mut self.given,
            &mut self.run,
            &mut self.stdout,
            &mut self.stderr,
        ];
        lines.into_iter().flatten().for_each(fill);
        let looks = [
            &mut self.guest,
            &mut self.host,
            &mut self.bridge,
            &mut self.ovs,
        ];
        for look in looks.into_iter().flatten() {
            fill(&mut look.command);
            fill(&mut look.text);
        }
        self
    }
}

/// What a world has, of what a row may need.
const AT_HAND: [&str; 7] = ["dad", "dhcp", "macvlan", "no_docker", "ours", "ovs", "tc"];

/// All of them, in order.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("table.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            let (number, title) = rest.split_once(' ').unwrap();
            cases.push(Case {
                number: number.parse().unwrap(),
                title: title.to_owned(),
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut().unwrap();
        let text = rest.to_owned();
        match word {
            "new" => case.is_fix = rest == "fix",
            "needs" => case.needs.push(text),
            "given" => case.given.push(text),
            "run" => case.run = words(rest),
            "code" => case.code = rest.parse().unwrap(),
            "stdout" => case.stdout.push(text),
            "stderr" => case.stderr.push(text),
            "lines" => case.lines = Some(rest.parse().unwrap()),
            "silent" => case.silent = true,
            "guest" => case.guest.push(Look::parse(rest)),
            "bridge" => case.bridge.push(Look::parse(rest)),
            "ovs" => case.ovs.push(Look::parse(rest)),
            "host" => case.host.push(Look::parse(rest)),
            "unchanged" => case.unchanged = true,
            other => panic!("table.txt has no {other}"),
        }
    }
    cases
}

/// The arguments of a line. Options of a client are one argument with blanks.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.contains(":-") => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}
