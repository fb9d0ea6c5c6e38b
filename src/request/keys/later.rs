//! The fields that this build knows and checks, and does not carry out.

use super::{Engine, Form, Key, Scope, table};

table! {
    Sandbox "cmd" Form::Command, "", "br0 10.0.0.5/24", Engine::NotYet("a pipework line");
        "a line for the pipework script, without the guest; also cmd.<anything>"
}
