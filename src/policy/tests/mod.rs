//! Tests of policy: what it lets pass, what it refuses, and how it says so.

mod callers;
mod fields;
mod files;
mod fixtures;
mod judging;
mod networks;
mod nics;
mod suggesting;
mod traffic;
mod vlans;
