//! Whether what is worked for has ended: said once, from another thread, to
//! whoever waits.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Who can say it; it is said when this goes.
#[derive(Debug)]
pub struct Sayer(#[expect(dead_code, reason = "its end is what is heard")] PipeWriter);

/// Who hears it.
#[derive(Debug)]
pub struct Ending(PipeReader);

/// A pair of both.
pub fn ending() -> io::Result<(Sayer, Ending)> {
    let (reader, writer) = io::pipe()?;
    Ok((Sayer(writer), Ending(reader)))
}

impl Ending {
    /// Whether it has been said.
    pub fn has_come(&self) -> bool {
        let mut set = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut set, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Ending {
    /// Readable once it has been said.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_once_it_was_said_and_from_then_on() {
        let (sayer, ending) = ending().unwrap();
        assert!(!ending.has_come());
        drop(sayer);
        assert!(ending.has_come() && ending.has_come());
    }
}
