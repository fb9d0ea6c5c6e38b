//! `route`, `rule` and `tc`: a program of iproute2 in the container's network.
//!
//! Only here, for root at a command line, is another program run: by an absolute
//! path and with no variable of the environment. It takes this process's place,
//! so that its streams and its exit code are the caller's.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::words::Refusal;
use crate::deadline::Deadline;
use crate::frontend::attach::TIME;
use crate::frontend::target;
use crate::request::classic::Tool;

/// Where systems have them.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Runs `tool` with what follows the container's name; returns only if it could
/// not be started.
pub fn run(tool: Tool, words: &[&str]) -> Result<u8, Refusal> {
    let [guest, rest @ ..] = words else {
        return Err(Refusal::Syntax);
    };
    if rest.is_empty() {
        return Err(Refusal::Syntax);
    }
    let target = target::open(guest, Deadline::after(TIME))?;
    let (program, first) = match tool {
        Tool::Route => ("ip", Some("route")),
        Tool::Rule => ("ip", Some("rule")),
        Tool::Tc => ("tc", None),
    };
    let mut paths = FOLDERS.iter().map(|folder| Path::new(folder).join(program));
    let path = paths.find(|path| path.exists());
    let path = path.ok_or(Refusal::NoTool(program))?;
    let mut command = Command::new(path);
    command.env_clear().args(first).args(rest);
    let sandbox = &target.sandbox;
    let failed = sandbox.netns.inside(&sandbox.home, || command.exec());
    let reason = match failed {
        Ok(error) | Err(error) => error.to_string(),
    };
    Err(Refusal::Tool {
        tool: program,
        reason,
    })
}
