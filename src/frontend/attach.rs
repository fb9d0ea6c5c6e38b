//! `pipework attach CONTAINER FIELD=VALUE…`: plugs in a container that runs
//! already, with the same engine, record and policy as a hook.

use std::path::Path;
use std::time::Duration;

use crate::attach::{Attached, Context, attach};
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::called::called;
use crate::frontend::given::Given;
use crate::frontend::progress::Progress;
use crate::frontend::target::{self, Target};
use crate::frontend::{cli, hook, read};
use crate::logging::{self, to_stderr};
use crate::policy::Caller;
use crate::record::{DIRECTORY, RecordError, Store};
use crate::request::annotations::{self, Pair};
use crate::request::{Asked, Attachment, Origin};
use crate::sys::block_on;

/// As long as a hook has.
pub(super) const TIME: Duration = Duration::from_secs(45);

/// Plugs in the container that the first word names; `None` when the words are
/// no container and fields.
pub fn run(given: &Given) -> Option<u8> {
    let words = given.words();
    let (container, fields) = words.split_first()?;
    let pairs = pairs(fields.iter().copied().chain(given.values("--annotation")))?;
    if pairs.is_empty() {
        return None;
    }
    logging::start();
    let deadline = Deadline::after(TIME);
    let outcome = target::open(container, deadline)
        .and_then(|target| to_target(&target, &pairs, &Caller::Person, deadline))
        .map(|attached| said(&attached));
    Some(match outcome {
        Ok(text) => cli::print(&text),
        Err(error) => {
            to_stderr(&report(&error, Some(container)));
            error.exit_code() as u8
        }
    })
}

/// `ip=10.0.0.5/24`, with `pipework.` before it or not; `None` where a word is no
/// field with its value.
pub(super) fn pairs<'a>(words: impl Iterator<Item = &'a str>) -> Option<Vec<(String, String)>> {
    let split = |word: &str| {
        let (key, value) = word.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    words.map(split).collect()
}

/// The same for the parser: every key is a field.
pub(super) fn fields(pairs: &[(String, String)]) -> impl Iterator<Item = Pair<'_>> {
    let all = pairs.iter();
    all.map(|(key, value)| Pair::field(key, value))
}

fn full_key(key: &str) -> String {
    match annotations::is_ours(key) {
        true => key.to_owned(),
        false => format!("{}{key}", annotations::PREFIX),
    }
}

/// Gives `target` what `pairs` ask for, fields all of them, on behalf of `caller`.
pub(super) fn to_target(
    target: &Target,
    pairs: &[(String, String)],
    caller: &Caller,
    deadline: Deadline,
) -> Result<Attached, Error> {
    let (id, bundle) = (&target.sandbox.id, &target.sandbox.bundle);
    let called = called(id, bundle, || match caller {
        Caller::Person => target.engine_name().known(),
        // A runtime's container is called what its own files say.
        Caller::Runtime | Caller::Tenant { .. } | Caller::CrioPod => {
            target.sandbox.engine_name().known()
        }
    });
    let Some(mut request) = read::request_for(fields(pairs), caller, &called)? else {
        return Ok(Attached::default());
    };
    if *caller == Caller::Person {
        request.name.get_or_insert_with(|| Asked {
            value: target.name.clone(),
            origin: Origin::Default,
        });
    }
    let store = Store::open(Path::new(DIRECTORY))?;
    let policy = hook::policy()?;
    let context = Context {
        store: &store,
        policy: policy.as_ref(),
        caller,
        deadline,
    };
    let learns = |a: &Attachment| !a.addressing.dynamic.is_empty();
    let waits = request.attachments.iter().any(learns);
    let progress =
        waits.then(|| Progress::show(format!("{}: waiting for an address", target.name)));
    let attached = block_on(attach(&target.sandbox, &request, &context)).map_err(Error::Socket)?;
    drop(progress);
    let attached = attached?;
    // Annotations stay in the bundle.
    if *caller == Caller::Person
        && let Err(error) = remember(target, pairs, &attached, &context)
    {
        tracing::warn!(%error, "what was asked for is not remembered");
    }
    Ok(attached)
}

/// Keeps the words that made an interface, for who repairs it: no bundle has them.
fn remember(
    target: &Target,
    pairs: &[(String, String)],
    attached: &Attached,
    context: &Context<'_>,
) -> Result<(), RecordError> {
    let Context {
        store, deadline, ..
    } = *context;
    let key = &target.sandbox.key;
    let _namespace = store.lock_namespace(key, deadline)?;
    let Some(mut record) = store.read(key)?.complete else {
        return Ok(());
    };
    let pairs = pairs.iter();
    let asked: Vec<_> = pairs.map(|(k, v)| (full_key(k), v.clone())).collect();
    let made: Vec<_> = attached.interfaces.iter().filter(|(_, was)| !was).collect();
    for attachment in &mut record.attachments {
        if made.iter().any(|(ifname, _)| *ifname == attachment.ifname) {
            attachment.asked.clone_from(&asked);
        }
    }
    store.rewrite(&record)
}

fn said(attached: &Attached) -> String {
    let mut text = String::new();
    for (ifname, was_there) in &attached.interfaces {
        let what = match was_there {
            true => "was there already",
            false => "is plugged in",
        };
        text.push_str(&format!("{ifname} {what}\n"));
    }
    for notice in notices(attached) {
        text.push_str(&format!("note: {notice}\n"));
    }
    text
}

/// What is worth knowing although nothing is wrong.
pub(super) fn notices(attached: &Attached) -> Vec<String> {
    let left_out = attached.left_out.iter();
    let left_out = left_out.map(|error| format!("an optional interface was left out: {error}"));
    let unannounced = attached.unannounced.iter();
    let unannounced = unannounced.map(|error| format!("the address was not announced: {error}"));
    let notices = attached.notices.iter().cloned();
    notices.chain(left_out).chain(unannounced).collect()
}
