#[cfg(target_os = "linux")]
use super::descendants;
use super::tail::Tail;
use super::{Exit, NAME, REMOVED, Start, TAG};
use crate::base::{Moment, Nanos};
use crate::system::scheduling::give_way;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The most bytes of output that are taken at once. Together with [`BETWEEN_READS`], this bounds what a command that writes
/// without end costs.
const READ: usize = 64 * 1024;

/// The least time between two readings of output.
const BETWEEN_READS: Nanos = Nanos(1_000_000);

/// A command that was started. Dropping it ends nothing.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    group: Pid,
    tag: String,
    /// Readable once the process has ended. `None` where the system has no such thing.
    ended: Option<OwnedFd>,
    /// `None` once nobody can write into it any more.
    pipe: Option<PipeReader>,
    tail: Tail,
    exit: Option<Exit>,
    is_reaped: bool,
}

impl ChildProcess {
    /// Starts a command. Nothing here needs a copy of this process, so no other thread waits for it.
    ///
    /// # Errors
    /// The program can't be run, or the system has no process or no file descriptor left.
    pub fn start(start: Start<'_>) -> io::Result<ChildProcess> {
        let (pipe, output) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let outer = std::env::var(TAG).ok().filter(|outer| !outer.is_empty());
        let tags = match outer {
            Some(outer) => format!("{outer},{}", start.tag),
            None => start.tag.to_owned(),
        };
        let mut command = Command::new(&start.words[0]);
        command
            .args(&start.words[1..])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .env(TAG, tags)
            .env(NAME, start.event)
            .process_group(0);
        for variable in REMOVED {
            command.env_remove(variable);
        }
        let child = command.spawn()?;
        // The command holds this process's ends of the pipe for writing.
        drop(command);
        let group = Pid::from_child(&child);
        give_way(group);
        Ok(ChildProcess {
            child,
            group,
            tag: start.tag.to_owned(),
            ended: end_of(group),
            pipe: Some(pipe),
            tail: Tail::new(start.kept_output),
            exit: None,
            is_reaped: false,
        })
    }

    /// The tag that it was started with.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Takes the output that has come, and returns how the process ended, if it has. Its children may go on.
    pub fn look(&mut self) -> Option<Exit> {
        if self.exit.is_none() {
            // The process is not reaped, so that no other one gets the number of its group.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let status = waitid(WaitId::Pid(self.group), options).ok().flatten();
            self.exit = status.map(|status| match status.exit_status() {
                Some(code) => Exit::Code(code),
                None => Exit::Signal(status.terminating_signal().unwrap_or_default()),
            });
        }
        // What the process wrote before it ended is in the pipe by now.
        self.read();
        self.exit
    }

    fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return;
        };
        let mut bytes = [0; READ / 8];
        for _ in 0..8 {
            match pipe.read(&mut bytes) {
                Ok(0) => {
                    self.pipe = None;
                    return;
                }
                Ok(count) => self.tail.push(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// The number of its process group.
    pub fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Whether there is anything to wait for: its end, or its output.
    pub fn is_watched(&self) -> bool {
        self.exit.is_none() || self.pipe.is_some()
    }

    /// The last bytes of the output so far, and the number of bytes before them.
    pub fn output(&self) -> (String, u64) {
        self.tail.text()
    }

    /// Sends SIGTERM to the process and to everything that it has started.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL to the process and to everything that it has started. New processes may escape it, so this is to be
    /// repeated until [`is_gone`](Self::is_gone).
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    fn signal(&mut self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
        #[cfg(target_os = "linux")]
        descendants::signal(&self.tag, signal);
    }

    /// Whether the process and everything that it has started have ended. From the first call on after the process itself has
    /// ended, the system may give its number to another one, as soon as its group is empty.
    pub fn is_gone(&mut self) -> bool {
        if self.look().is_none() {
            return false;
        }
        if !self.is_reaped {
            self.is_reaped = self.child.try_wait().is_ok();
        }
        #[cfg(target_os = "linux")]
        return !descendants::exist(Some(self.group), &self.tag);
        // A member of another user is out of reach.
        #[cfg(not(target_os = "linux"))]
        return rustix::process::test_kill_process_group(self.group).is_err();
    }
}

/// The processes of a command that another process started.
#[derive(Debug)]
pub struct Orphans {
    pub tag: String,
    /// Their process group. `None` if it is not known.
    pub group: Option<i32>,
}

impl Orphans {
    /// Sends SIGTERM to all of them.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL to all of them.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group.and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
        #[cfg(target_os = "linux")]
        descendants::signal(&self.tag, signal);
    }

    pub fn are_gone(&self) -> bool {
        let group = self.group.and_then(Pid::from_raw);
        #[cfg(target_os = "linux")]
        return !descendants::exist(group, &self.tag);
        #[cfg(not(target_os = "linux"))]
        return group.is_none_or(|group| rustix::process::test_kill_process_group(group).is_err());
    }
}

/// Waits until one of these processes ends or writes something, at most until `deadline`.
pub fn wait(children: &[&ChildProcess], deadline: Moment) {
    // So that reading does not take a whole processor.
    std::thread::sleep(deadline.since(Moment::now()).min(BETWEEN_READS).into());
    let mut polled = Vec::new();
    for child in children {
        if let (Some(ended), None) = (&child.ended, child.exit) {
            polled.push(PollFd::new(ended, PollFlags::IN));
        }
        if let Some(pipe) = &child.pipe {
            polled.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        }
    }
    let left = deadline.since(Moment::now());
    let timeout = Timespec {
        tv_sec: (left.0 / 1_000_000_000) as _,
        tv_nsec: (left.0 % 1_000_000_000) as _,
    };
    // If this fails, the caller looks again too early.
    let _ = poll(&mut polled, Some(&timeout));
}

#[cfg(target_os = "linux")]
fn end_of(process: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(process, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn end_of(_: Pid) -> Option<OwnedFd> {
    None
}
