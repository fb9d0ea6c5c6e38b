//! What the macros in a line of the shell script stand for (`pipework.cmd`).

use std::path::Path;

use crate::host::find::is_drawn;
use crate::host::hostname;
use crate::request::classic::Macro;

/// As many characters of an id as engines show.
const SHOWN: usize = 12;

/// What each macro stands for in the container `id`, whose bundle is `bundle`;
/// `name` finds what it is called. Nothing is looked for before it is asked for.
pub(super) fn called(
    id: &str,
    bundle: &Path,
    name: impl Fn() -> String,
) -> impl Fn(Macro) -> Option<String> {
    move |what| match what {
        Macro::Name => Some(name()),
        Macro::Id if is_drawn(id) => id.get(..SHOWN).map(str::to_owned),
        Macro::Id => Some(id.to_owned()),
        Macro::Hostname => hostname::of(bundle),
    }
}
