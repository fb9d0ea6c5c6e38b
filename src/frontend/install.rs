//! `pipework install RUNTIME`: tells a runtime of us, in the file that it reads, and
//! with `--undo` takes out exactly that.
//!
//! What is to be at each path is a `change::Wish`; a file per runtime says which.
//! Everything is looked at and judged before anything is written, and written down
//! (`manifest`) before it is done. Only here does the program run others: those of
//! the runtimes, by absolute paths, for their version and their judgement.

mod change;
mod containerd;
mod crio;
mod diff;
mod docker;
mod edit;
mod error;
mod files;
mod interrupt;
mod json;
mod manifest;
mod options;
mod podman;
mod program;
mod programs;
mod setting;
mod target;
mod toml;
mod used;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::frontend::cli::print;
use crate::frontend::given::Given;
use crate::logging::to_stderr;
use change::{Step, step, undo};
use error::InstallError;
use manifest::{Calls, Entry, FOLDER, Manifest};
pub use options::WORDS;
use options::{Mode, Options};
use program::Program;
use target::Target;

/// A runtime that is restarted takes a while; a container to try it with, too.
const TIME: Duration = Duration::from_secs(120);
/// dockerd reads its settings in a fraction of it.
const RELOAD_TIME: Duration = Duration::from_secs(30);

/// Tells the runtimes that the words name; `None` when they name none. Exits with 0
/// when all of it was done, else with 1.
pub fn run(given: &Given) -> Option<u8> {
    let options = Options::read(given)?;
    let done = match options.mode {
        Mode::Install => install(&options),
        Mode::Undo => take_out(&options),
    };
    let failures = done.unwrap_or_else(|error| vec![error]);
    for error in &failures {
        let mut text = format!("pipework: {error}");
        if let Some(hint) = error.hint() {
            // A rule of the policy has several lines.
            let hint = hint.replace('\n', "\n    ");
            text.push_str(&format!("\n  hint: {hint}"));
        }
        to_stderr(&text);
    }
    Some(u8::from(!failures.is_empty()))
}

fn open(options: &Options) -> Result<Manifest, InstallError> {
    match options.is_dry {
        true => Manifest::look(Path::new(FOLDER)),
        false if !nix::unistd::geteuid().is_root() => Err(InstallError::NotRoot),
        false => Manifest::open(Path::new(FOLDER)),
    }
}

/// A runtime that is here.
struct Runtime {
    target: Target,
    path: PathBuf,
    version: String,
}

impl Runtime {
    /// `None` where there is none.
    fn find(target: Target, deadline: Deadline) -> Option<Self> {
        let path = programs::find(target.program())?;
        let version = programs::version(&path, deadline).unwrap_or_default();
        Some(Self {
            target,
            path,
            version,
        })
    }

    fn wishes(
        &self,
        program: &Program,
        options: &Options,
    ) -> Result<Vec<change::Wish>, InstallError> {
        match self.target {
            Target::Podman => Ok(podman::wishes(program)),
            Target::Docker => docker::wishes(program, options.default),
            Target::Containerd => containerd::wishes(program, &self.version, options.way),
            Target::Crio => crio::wishes(&self.version),
            Target::Nerdctl | Target::Program => Ok(Vec::new()),
        }
    }

    /// What the runtime itself says to what it is going to read.
    fn judge(&self, steps: &[Step], deadline: Deadline) -> Result<(), InstallError> {
        let judge = match self.target {
            Target::Docker => docker::judge,
            Target::Containerd => containerd::judge,
            // They have no check that takes a file which is not there yet.
            Target::Podman | Target::Crio | Target::Nerdctl | Target::Program => return Ok(()),
        };
        steps
            .iter()
            .try_for_each(|step| judge(&self.path, step, deadline))
    }
}

/// Tells the runtimes of us; those that could not be told, and why.
fn install(options: &Options) -> Result<Vec<InstallError>, InstallError> {
    let mut manifest = open(options)?;
    let program = program::place()?;
    let mut failures = Vec::new();
    let mut found = 0;
    for target in &options.targets {
        let deadline = Deadline::after(TIME);
        match Runtime::find(*target, deadline) {
            Some(runtime) => {
                found += 1;
                let done = install_one(&runtime, &program, &mut manifest, options, deadline);
                let is_over = done.as_ref().is_err_and(InstallError::is_interruption);
                failures.extend(done.err());
                if is_over {
                    break;
                }
            }
            None if options.is_all => {}
            None => failures.push(InstallError::NotThere { target: *target }),
        }
    }
    if options.is_all && found == 0 {
        print("no container runtime was found\n");
    }
    Ok(failures)
}

fn install_one(
    runtime: &Runtime,
    program: &Program,
    manifest: &mut Manifest,
    options: &Options,
    deadline: Deadline,
) -> Result<(), InstallError> {
    let Runtime {
        target,
        path,
        version,
    } = runtime;
    print(&format!(
        "{} {version} ({})\n",
        target.word(),
        path.display()
    ));
    let steps_of = |wishes: &[change::Wish]| -> Result<Vec<Step>, InstallError> {
        let steps = wishes.iter().map(|wish| step(wish, manifest).transpose());
        steps.flatten().collect()
    };
    let own = steps_of(&program.wishes)?;
    let theirs = steps_of(&runtime.wishes(program, options)?)?;
    runtime.judge(&theirs, deadline)?;
    let has_changed = !theirs.is_empty();
    let steps: Vec<Step> = own.into_iter().chain(theirs).collect();
    carry_out(&steps, manifest, options)?;
    let is_new = target.has_no_settings() && !manifest.has_caller(*target);
    if is_new {
        note(manifest, *target, Calls::Us, options)?;
    } else if steps.is_empty() {
        print("  nothing to change\n");
    }
    if options.is_dry {
        return Ok(());
    }
    if has_changed || options.reloads {
        reload(*target, Mode::Install, options, deadline)?;
    }
    if let Some(notice) = containerd::notice(version, options.way)
        && *target == Target::Containerd
    {
        print(notice);
    }
    if let Some(line) = target.example() {
        print(&format!("  try: {line}\n"));
    }
    match options.verifies {
        true => verify::verify(runtime, program, options, deadline),
        false => Ok(()),
    }
}

/// Notes whether a runtime without settings calls our program.
fn note(
    manifest: &mut Manifest,
    target: Target,
    calls: Calls,
    options: &Options,
) -> Result<(), InstallError> {
    let said = match calls {
        Calls::Us => "that it calls pipework-runtime: it has no settings for that",
        Calls::NobodyOfOurs => "that it does not call pipework-runtime any more",
    };
    if options.is_dry {
        print(&format!("  would note {said}\n"));
        return Ok(());
    }
    manifest.set_caller(target, calls)?;
    print(&format!("  noted {said}\n"));
    Ok(())
}

/// All of it or nothing.
fn carry_out(
    steps: &[Step],
    manifest: &mut Manifest,
    options: &Options,
) -> Result<(), InstallError> {
    if options.is_dry {
        for step in steps {
            print(&step.diff());
        }
        return Ok(());
    }
    let mut done: Vec<(&Step, Option<Entry>)> = Vec::new();
    for step in steps {
        done.push((step, manifest.at(&step.known_as).cloned()));
        if let Err(error) = step.run(manifest) {
            let mut outcome = Err(error);
            for (step, former) in done.into_iter().rev() {
                let back = step.take_back(former, manifest);
                // It is in the manifest still, for --undo.
                let back = back.map_err(InstallError::stays(step.path.display().to_string()));
                outcome = InstallError::both(outcome, back);
            }
            return outcome;
        }
    }
    for step in steps {
        print(&format!("  {}\n", step.line()));
    }
    Ok(())
}

/// Takes out what was put in; what could not be, and why.
fn take_out(options: &Options) -> Result<Vec<InstallError>, InstallError> {
    // Who only looks makes nothing.
    let known = Manifest::look(Path::new(FOLDER))?;
    if known.is_empty() {
        print("nothing is installed\n");
        // A run that was killed at its end may have left it.
        let folder = Path::new(FOLDER).parent().filter(|folder| folder.exists());
        if folder.is_some() && !options.is_dry && nix::unistd::geteuid().is_root() {
            drop(open(options)?);
        }
        return Ok(Vec::new());
    }
    drop(known);
    let mut manifest = open(options)?;
    let mut failures = Vec::new();
    for target in &options.targets {
        let steps = steps_back(*target, &manifest);
        let done = steps.and_then(|steps| {
            let is_caller = manifest.has_caller(*target);
            if steps.is_empty() && !is_caller {
                return Ok(());
            }
            print(&format!("{}\n", target.word()));
            carry_out(&steps, &mut manifest, options)?;
            if is_caller {
                note(&mut manifest, *target, Calls::NobodyOfOurs, options)?;
            }
            if options.is_dry {
                return Ok(());
            }
            reload(*target, Mode::Undo, options, Deadline::after(TIME))
        });
        failures.extend(done.err());
    }
    // The program stays for as long as anybody calls it.
    let going: &[Target] = match options.is_dry {
        true => &options.targets,
        false => &[],
    };
    if manifest.is_needed_beside(going) {
        return Ok(failures);
    }
    let steps = steps_back(Target::Program, &manifest)?;
    let reason = match steps.is_empty() {
        true => None,
        false => used::by_whom(Deadline::after(RELOAD_TIME)),
    };
    if let Some(reason) = reason {
        print(&format!("the program stays: {reason}\n"));
        return Ok(failures);
    }
    carry_out(&steps, &mut manifest, options)?;
    Ok(failures)
}

/// The newest first.
fn steps_back(target: Target, manifest: &Manifest) -> Result<Vec<Step>, InstallError> {
    let entries = manifest.entries.iter().rev();
    let ours = entries.filter(|entry| entry.target == target);
    ours.map(|entry| undo(entry, manifest)).collect()
}

/// Has the runtime read its settings, where that is asked for and there is anything
/// to read; else says how.
fn reload(
    target: Target,
    mode: Mode,
    options: &Options,
    deadline: Deadline,
) -> Result<(), InstallError> {
    let service = match target {
        Target::Podman | Target::Nerdctl | Target::Program => return Ok(()),
        Target::Docker if !docker::is_up() => {
            print("  dockerd does not run: it reads this when it starts\n");
            return Ok(());
        }
        Target::Docker if options.reloads => {
            docker::reload()?;
            print(match mode {
                Mode::Install => {
                    docker::await_us(deadline.sooner(RELOAD_TIME))?;
                    "  dockerd has read its settings; containers went on\n"
                }
                Mode::Undo => "  dockerd was told; a runtime it forgets when it is restarted\n",
            });
            return Ok(());
        }
        Target::Docker => {
            print("  to have it read: systemctl reload docker, or --reload\n");
            return Ok(());
        }
        Target::Containerd | Target::Crio => target.word(),
    };
    let systemctl = programs::find("systemctl");
    match systemctl.filter(|_| options.reloads && Path::new("/run/systemd/system").exists()) {
        Some(systemctl) => {
            programs::run_well(&systemctl, &["restart", service], None, deadline)?;
            print(&format!("  {service} was restarted; containers went on\n"));
        }
        None => {
            print(&format!("  to have it read: systemctl restart {service}\n"));
        }
    }
    Ok(())
}
