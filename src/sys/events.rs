//! What a process waits for that lives on: many descriptors at once (epoll(7)),
//! a moment on the clock that goes on while the machine sleeps
//! (timerfd_create(2)), and files that somebody changes (inotify(7)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Events that are fetched at once.
const AT_ONCE: usize = 64;

/// Descriptors that are waited for, each with a number of the caller's.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
    /// One that waits for nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Waits for `fd` to become readable, or to be closed by the other side, too.
    /// Closing `fd` ends that.
    pub fn add(&self, fd: impl AsFd, number: u64) -> io::Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
        Ok(self.0.add(fd, event)?)
    }

    /// The numbers of those that are readable; waits as long as none is.
    pub fn wait(&self) -> io::Result<Vec<u64>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        loop {
            match self.0.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => return Ok(events.iter().take(count).map(EpollEvent::data).collect()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// A moment that is waited for; a descriptor becomes readable then.
#[derive(Debug)]
pub struct Alarm {
    fd: TimerFd,
    set: Option<Duration>,
}

impl Alarm {
    /// One that is not set.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let fd = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        Ok(Self { fd, set: None })
    }

    /// Sets it to a time since boot, or to none. One that has passed rings at
    /// once.
    pub fn set(&mut self, at: Option<Duration>) -> io::Result<()> {
        if self.set == at {
            return Ok(());
        }
        match at {
            Some(at) => {
                // All zeroes would switch it off.
                let at = TimeSpec::from_duration(at.max(Duration::from_nanos(1)));
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                self.fd.set(Expiration::OneShot(at), flags)?;
            }
            None => self.fd.unset()?,
        }
        self.set = at;
        Ok(())
    }

    /// It has rung, and is not set any more.
    pub fn rang(&mut self) -> io::Result<()> {
        self.set = None;
        match self.fd.wait() {
            Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Changes of what is in a directory (inotify(7)); its descriptor becomes readable
/// when there are some.
#[derive(Debug)]
pub struct Watch(Inotify);

impl Watch {
    /// Watches files and directories that are made, written, replaced, renamed,
    /// removed, or whose owner or mode changes.
    ///
    /// `ENOENT` when there is no such directory.
    pub fn directory(path: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB;
        inotify.add_watch(path, changes | AddWatchFlags::IN_ONLYDIR)?;
        Ok(Self(inotify))
    }

    /// Takes note of what has changed; it may be anything. False when the
    /// directory itself is not at its path any more, so that the watch is of no
    /// use.
    pub fn settle(&self) -> bool {
        let over = AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_IGNORED
            | AddWatchFlags::IN_UNMOUNT;
        let mut stays = true;
        while let Ok(events) = self.0.read_events() {
            stays &= !events.iter().any(|event| event.mask.intersects(over));
        }
        stays
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::since_boot;

    #[test]
    fn an_alarm_rings_when_its_time_has_come_and_only_then() {
        let poller = Poller::new().unwrap();
        let mut alarm = Alarm::new().unwrap();
        poller.add(&alarm, 7).unwrap();
        let at = since_boot() + Duration::from_millis(20);
        alarm.set(Some(at)).unwrap();
        assert_eq!(poller.wait().unwrap(), [7]);
        assert!(since_boot() >= at);
        alarm.rang().unwrap();
        // What has passed rings at once, and can be set again.
        for _ in 0..2 {
            alarm.set(Some(Duration::ZERO)).unwrap();
            assert_eq!(poller.wait().unwrap(), [7]);
            alarm.rang().unwrap();
        }
    }
}
