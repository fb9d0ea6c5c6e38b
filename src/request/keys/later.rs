//! The fields that this build knows and checks, and does not carry out.

use super::{Engine, Form, Key, Scope, table};

table! {
    Sandbox "net" Form::NetworkName, "", "lan", Engine::NotYet("a named network");
        "a network that the administrator has defined"
    Sandbox "cmd" Form::Command, "", "br0 10.0.0.5/24", Engine::NotYet("a pipework line");
        "a line for the pipework script, without the guest; also cmd.<anything>"
}
