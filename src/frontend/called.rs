//! What the macros in a line of the shell script stand for (`pipework.cmd`).

use std::path::Path;

use crate::host::find::is_drawn;
use crate::host::hostname;
use crate::request::classic::Macro;

/// As many characters of an id as engines show.
const SHOWN: usize = 12;

/// What each macro stands for in the container `id`, whose bundle is `bundle`;
/// `name` finds what it is called, which an id is not. Nothing is looked for before it is asked for.
pub(super) fn called(
    id: &str,
    bundle: &Path,
    name: impl Fn() -> Option<String>,
) -> impl Fn(Macro) -> Option<String> {
    move |what| match what {
        Macro::Name => name(),
        Macro::Id if is_drawn(id) => id.get(..SHOWN).map(str::to_owned),
        Macro::Id => Some(id.to_owned()),
        Macro::Hostname => hostname::of(bundle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cut_and_is_no_name() {
        let id = "0123456789ab".repeat(5) + "cdef";
        let none = called(&id, Path::new("/nowhere"), || None);
        assert_eq!(none(Macro::Name), None);
        assert_eq!(none(Macro::Id).as_deref(), Some("0123456789ab"));
        let web = called("web", Path::new("/nowhere"), || Some("web".to_owned()));
        assert_eq!(web(Macro::Name).as_deref(), Some("web"));
        assert_eq!(web(Macro::Id).as_deref(), Some("web"));
    }
}
