//! The language of pipework, the shell script: what its words mean, in the fields
//! that annotations have.
//!
//! The command line reads it with a container in it (`grammar::parse`), the
//! annotation `cmd` without one (`Line::parse`). Nothing is looked at here: what
//! kind of device the first word names is the host's to say.

mod asked;
mod client;
mod error;
mod grammar;
mod line;
mod words;

pub use asked::{Address, AddressFault, Kind, hostif, pairs};
pub use error::LineError;
pub use grammar::{Attach, Command, Tool, parse};
pub use line::{Line, Setting};
pub use words::Macro;
