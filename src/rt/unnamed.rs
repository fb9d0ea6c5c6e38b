//! Names of containers that a reader may not be told: tenants of one node are
//! nobody's business but its own. They are counted instead.

/// Whether a reader may be told of a container by its name.
pub type MayName<'a> = &'a dyn Fn(&str) -> bool;

/// Stands for one that is not named.
pub const SOMEBODY: &str = "a container of another namespace";

/// A holder as errors speak of it, which may be [`SOMEBODY`].
pub fn container(holder: &str) -> String {
    match holder {
        SOMEBODY => holder.to_owned(),
        named => format!("container {named}"),
    }
}

/// Puts [`SOMEBODY`] in the place of a name that may not be told.
pub fn hide_one(name: &mut String, may_name: MayName<'_>) {
    if !may_name(name) {
        *name = SOMEBODY.to_owned();
    }
}

/// Leaves the names that may be told, and the number of the others behind them.
pub fn hide_all(names: &mut Vec<String>, may_name: MayName<'_>) {
    let all = names.len();
    names.retain(|name| may_name(name));
    match all - names.len() {
        0 => {}
        1 => names.push(SOMEBODY.to_owned()),
        hidden => names.push(format!("{hidden} containers of other namespaces")),
    }
}
