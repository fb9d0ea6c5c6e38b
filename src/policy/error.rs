//! Why policy refuses, as data; `Display` is one complete line.

use std::path::PathBuf;

use super::caller::Caller;
use super::flaw::RuleFlaw;
use super::need::Ask;
use super::suggestion::Suggestion;
use crate::request::{Asked, DhcpProgram, IfName, Origin};
use crate::trust::FileError;

/// Why policy refuses.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// A rule that cannot mean what its author thinks.
    #[error("{}:{line}: {flaw}", path.display())]
    Flawed {
        /// The policy file.
        path: PathBuf,
        /// The line of the rule, from 1.
        line: usize,
        /// What is wrong with the rule.
        flaw: RuleFlaw,
    },
    /// A pod under CRI-O, whichever the policy.
    #[error("{} is not served by the hook", Caller::CrioPod)]
    CrioPod,
    /// A pod, and no policy file that lists it.
    #[error("{ifname}: {caller} may use nothing until {} lists it", path.display())]
    TenantUnlisted {
        /// The interface.
        ifname: IfName,
        /// Who asked.
        caller: Caller,
        /// Where the file is looked for.
        path: PathBuf,
        /// What would allow it.
        rule: Suggestion,
    },
    /// A program, and no policy file that lists it.
    #[error("{ifname}: {} is not run until {} lists it", program.value, path.display())]
    ProgramUnlisted {
        /// The interface.
        ifname: IfName,
        /// Where the file is looked for.
        path: PathBuf,
        /// The program, and who asked for it.
        program: Box<Asked<DhcpProgram>>,
    },
    /// No rule covers everything that is asked.
    #[error("{ifname}: no rule in {} allows {}", path.display(), lacking.need)]
    NotAllowed {
        /// The interface.
        ifname: IfName,
        /// The policy file.
        path: PathBuf,
        /// The line of the rule that came closest, from 1.
        closest: Option<usize>,
        /// The first thing that this rule does not cover, and who wrote it.
        lacking: Box<Ask>,
        /// What would allow the attachment.
        rule: Suggestion,
    },
    /// Something that no rule can give to a pod.
    #[error("{ifname}: no pod may ask for {}", ask.need)]
    NeverForPods {
        /// The interface.
        ifname: IfName,
        /// What was asked for, and by whom.
        ask: Box<Ask>,
    },
    /// A line of the shell script, which no rule can give to a pod either.
    #[error("annotation {key}: no pod may ask for a line of the pipework script")]
    LineOfPod {
        /// The annotation's key.
        key: String,
    },
    /// A deny rule matches.
    #[error("{ifname}: the deny rule at {}:{line} matches", path.display())]
    Denied {
        /// The interface.
        ifname: IfName,
        /// The policy file.
        path: PathBuf,
        /// The line of the rule, from 1.
        line: usize,
        /// What was written for the uplink.
        origin: Origin,
    },
    /// The uplink was named by hardware that is not there, so that there is no
    /// name that a rule could list.
    #[error("{ifname}: no device of this host is the one that was asked for")]
    NoSuchDevice {
        /// The interface.
        ifname: IfName,
        /// What was written for the uplink.
        origin: Origin,
    },
    /// The view of the host has no entry for the interface.
    #[error("{ifname}: its uplink was not looked up, so it cannot be judged")]
    NotLookedUp {
        /// The interface.
        ifname: IfName,
    },
}

impl PolicyError {
    /// What to do about it; may have several lines.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(FileError::Unreadable { .. }) => {
                Some("nothing is attached while the policy cannot be read".to_owned())
            }
            Self::File(FileError::Untrusted { path, fault }) => fault.cure(path),
            Self::File(FileError::Malformed { .. }) | Self::Flawed { .. } => {
                Some("nothing is attached until the policy file is right".to_owned())
            }
            Self::CrioPod => Some(
                "a pod's labels reach the hook as annotations there; pods of CRI-O need NRI"
                    .to_owned(),
            ),
            Self::TenantUnlisted { path, rule, .. } => {
                Some(format!("to allow it, put into {}:\n{rule}", path.display()))
            }
            Self::ProgramUnlisted { path, .. } => Some(format!(
                "{} needs a rule with dhcp-programs, and rules for all else that is asked here; \
                 without the annotation our own client asks",
                path.display()
            )),
            Self::NotAllowed {
                path,
                closest,
                rule,
                ..
            } => {
                let closest = closest
                    .map(|line| format!("the closest rule is at line {line}; "))
                    .unwrap_or_default();
                let path = path.display();
                Some(format!("{closest}to allow it, add to {path}:\n{rule}"))
            }
            Self::Denied { .. } => {
                Some("rules are read in order and the first that matches wins".to_owned())
            }
            Self::NoSuchDevice { .. } => {
                Some("see `ip -details link` for what is there".to_owned())
            }
            Self::NeverForPods { .. } => Some("no rule of a policy can allow it".to_owned()),
            Self::LineOfPod { .. } => Some(
                "no rule of a policy can allow it; write what it means with the other keys"
                    .to_owned(),
            ),
            Self::NotLookedUp { .. } => None,
        }
    }

    /// What the user wrote that was refused, where one thing can be named.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::NotAllowed { lacking, .. } => Some(&lacking.origin),
            Self::NeverForPods { ask, .. } => Some(&ask.origin),
            Self::ProgramUnlisted { program, .. } => Some(&program.origin),
            Self::Denied { origin, .. } | Self::NoSuchDevice { origin, .. } => Some(origin),
            Self::File(_)
            | Self::Flawed { .. }
            | Self::CrioPod
            | Self::LineOfPod { .. }
            | Self::TenantUnlisted { .. }
            | Self::NotLookedUp { .. } => None,
        }
    }
}
