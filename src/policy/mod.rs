//! Who may use which uplink, address, MAC and setting.
//!
//! Judges what was asked against the device that the host has resolved it to,
//! so that no other name of a device evades a rule. Without a policy file root
//! gets what it asks, but for a program, and pods get nothing; with one, everybody gets what the
//! first matching rule says, and nothing when none matches. Pure but for
//! `file`, which reads the one file.

mod caller;
mod criterion;
mod entry;
mod error;
mod file;
mod flaw;
mod need;
mod rule;
mod set;
mod suggestion;
#[cfg(test)]
mod tests;
mod text;

pub use caller::Caller;
pub use criterion::Criterion;
pub use error::PolicyError;
pub use file::{POLICY_PATH, Policy};
pub use flaw::RuleFlaw;
pub use need::{Ask, Need};
pub use suggestion::Suggestion;

use std::path::PathBuf;

use crate::host::view::{Grant, HostView};
use crate::request::{Attachment, Request};
use need::Shared;
use rule::Action;

/// Whether the caller may have everything that the request asks for.
///
/// `None` is the absence of a policy file: root gets what it asks, pods
/// nothing. What comes back is what each may do to the host besides, in the
/// order of the request. Fails with the first attachment that is refused.
pub fn judge(
    policy: Option<&Policy>,
    caller: &Caller,
    request: &Request,
    view: &HostView,
) -> Result<Vec<Grant>, PolicyError> {
    match (caller, policy) {
        (Caller::CrioPod, _) => return Err(PolicyError::CrioPod),
        (Caller::Runtime | Caller::Person, None) => {
            no_program(request)?;
            return Ok(vec![Grant::default(); request.attachments.len()]);
        }
        (Caller::Runtime | Caller::Person | Caller::Tenant { .. }, _) => {}
    }
    let Request { attachments, name } = request;
    let shared = Shared {
        caller,
        name: name.as_ref(),
        count: u32::try_from(attachments.len()).unwrap_or(u32::MAX),
    };
    let HostView {
        uplinks,
        namespace: _,
        own_addresses: _,
    } = view;
    let mut grants = Vec::with_capacity(attachments.len());
    for (n, attachment) in attachments.iter().enumerate() {
        let uplink = uplinks.get(n).ok_or_else(|| PolicyError::NotLookedUp {
            ifname: attachment.ifname.value.clone(),
        })?;
        let asks = need::needs(&shared, attachment, uplink)?;
        never_for_tenants(caller, attachment, &asks)?;
        match policy {
            Some(policy) => grants.push(policy.judge_one(attachment, &asks)?),
            None => return Err(unlisted(caller, attachment, &asks)),
        }
    }
    Ok(grants)
}

/// Whether the caller may wait for an uplink for as long as it asks, whatever that turns
/// out to be: a wait asks the kernel again and again, before there is anything to judge.
pub fn may_wait(policy: Option<&Policy>, caller: &Caller, attachment: &Attachment) -> bool {
    let asks = need::wait(attachment).map(|wait| [need::of_caller(caller, attachment), wait]);
    match (caller, policy, asks) {
        (Caller::CrioPod, _, _) | (_, _, None) => false,
        (_, Some(policy), Some(asks)) => policy.may_grant(&asks),
        (Caller::Runtime | Caller::Person, None, Some(_)) => true,
        (Caller::Tenant { .. }, None, Some(_)) => false,
    }
}

/// What neither a rule nor a network can give to a pod: whoever may create pods
/// would take the host off its network, name its interfaces, load its queues or
/// lead its own resolver astray.
fn never_for_tenants(
    caller: &Caller,
    attachment: &Attachment,
    asks: &[Ask],
) -> Result<(), PolicyError> {
    let is_tenant = match caller {
        Caller::Tenant { .. } | Caller::CrioPod => true,
        Caller::Runtime | Caller::Person => false,
    };
    let is_never = |ask: &&Ask| {
        matches!(
            ask.need,
            Need::DeviceForce
                | Need::Hostif(_)
                | Need::TrafficControl
                | Need::Dns(_)
                | Need::DhcpProgram(_)
        )
    };
    if !is_tenant {
        return Ok(());
    }
    match asks.iter().find(is_never) {
        Some(ask) => Err(PolicyError::NeverForPods {
            ifname: attachment.ifname.value.clone(),
            ask: Box::new(ask.clone()),
        }),
        None => Ok(()),
    }
}

/// Without a policy root gets what it asks, but for a program: whoever writes an
/// annotation would have it run.
fn no_program(request: &Request) -> Result<(), PolicyError> {
    for Attachment { ifname, dhcp, .. } in &request.attachments {
        if let Some(program) = &dhcp.program {
            return Err(PolicyError::ProgramUnlisted {
                ifname: ifname.value.clone(),
                path: PathBuf::from(POLICY_PATH),
                program: Box::new(program.clone()),
            });
        }
    }
    Ok(())
}

fn unlisted(caller: &Caller, attachment: &Attachment, asks: &[Ask]) -> PolicyError {
    PolicyError::TenantUnlisted {
        ifname: attachment.ifname.value.clone(),
        caller: caller.clone(),
        path: PathBuf::from(POLICY_PATH),
        rule: Suggestion::of(asks),
    }
}

impl Policy {
    /// Whether any rule asks which service account a pod has.
    pub fn names_accounts(&self) -> bool {
        self.rules.iter().any(|placed| placed.rule.names_accounts())
    }

    /// Whether some allow rule grants all of it.
    fn may_grant(&self, asks: &[Ask]) -> bool {
        let mut rules = self.rules.iter().map(|placed| &placed.rule);
        rules.any(|rule| rule.action == Action::Allow && asks.iter().all(|ask| rule.grants(ask)))
    }

    /// The first rule that matches decides; none: refused.
    fn judge_one(&self, attachment: &Attachment, asks: &[Ask]) -> Result<Grant, PolicyError> {
        for placed in &self.rules {
            match placed.rule.action {
                Action::Allow if asks.iter().all(|ask| placed.rule.grants(ask)) => {
                    return Ok(placed.rule.grant());
                }
                Action::Deny if placed.rule.denies(asks) => {
                    return Err(PolicyError::Denied {
                        ifname: attachment.ifname.value.clone(),
                        path: self.path.clone(),
                        line: placed.line,
                        origin: attachment.uplink.origin.clone(),
                    });
                }
                Action::Allow | Action::Deny => {}
            }
        }
        Err(self.nothing_matches(attachment, asks))
    }

    /// The refusal that names what the rule lacks which came closest: that
    /// with the fewest needs uncovered, the first of equals.
    fn nothing_matches(&self, attachment: &Attachment, asks: &[Ask]) -> PolicyError {
        let allowing = self.rules.iter().filter(|p| p.rule.action == Action::Allow);
        let closest = allowing
            .filter_map(|placed| {
                let lacking = || asks.iter().filter(|ask| !placed.rule.grants(ask));
                Some((lacking().count(), placed.line, lacking().next()?))
            })
            .min_by_key(|(count, line, _)| (*count, *line));
        let (line, lacking) = match closest {
            Some((_, line, ask)) => (Some(line), Some(ask)),
            None => (None, asks.first()),
        };
        let ifname = attachment.ifname.value.clone();
        match lacking {
            Some(ask) => PolicyError::NotAllowed {
                ifname,
                path: self.path.clone(),
                closest: line,
                lacking: Box::new(ask.clone()),
                rule: Suggestion::of(asks),
            },
            // The list of needs always begins with the caller.
            None => PolicyError::NotLookedUp { ifname },
        }
    }
}
