//! Wakes the view's thread when a signal about the terminal arrives or the view is closed.

use crate::system::terminal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use signal_hook::consts::{SIGABRT, SIGCONT, SIGQUIT, SIGTSTP, SIGWINCH};
use signal_hook::flag;
use signal_hook::low_level::{self, emulate_default_handler, pipe};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[derive(Debug)]
pub struct Wake {
    receiver: UnixStream,
    sender: UnixStream,
    /// Ctrl-Z was pressed.
    to_stop: Arc<AtomicBool>,
    resumed: Arc<AtomicBool>,
    /// Ctrl-Z stops the process: the signal was not ignored at the start.
    stops: bool,
}

impl Wake {
    pub fn install() -> io::Result<Wake> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let (to_stop, resumed) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let before = set_stop(&default())?;
        let stops = !matches!(before.handler(), SigHandler::SigIgn);
        if stops {
            flag::register(SIGTSTP, to_stop.clone())?;
            pipe::register(SIGTSTP, sender.try_clone()?)?;
        } else {
            set_stop(&before)?;
        }
        flag::register(SIGCONT, resumed.clone())?;
        pipe::register(SIGCONT, sender.try_clone()?)?;
        pipe::register(SIGWINCH, sender.try_clone()?)?;
        for signal in [SIGABRT, SIGQUIT] {
            let give_back_and_end = move || {
                terminal::leave();
                let _ = emulate_default_handler(signal);
            };
            // SAFETY: both calls are safe within a handler, and say so.
            unsafe { low_level::register(signal, give_back_and_end)? };
        }
        Ok(Wake {
            receiver,
            sender,
            to_stop,
            resumed,
            stops,
        })
    }

    /// Restores what Ctrl-Z does by default.
    pub fn uninstall(&self) {
        if self.stops {
            let _ = set_stop(&default());
        }
    }

    pub fn wake(&self) {
        // A full pipe wakes the thread as well.
        let _ = (&self.sender).write(&[0]);
    }

    pub fn receiver(&self) -> &UnixStream {
        &self.receiver
    }

    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while let Ok(1..) = (&self.receiver).read(&mut bytes) {}
    }

    pub fn is_to_stop(&self) -> bool {
        self.to_stop.swap(false, Relaxed)
    }

    /// Whether the process continues after it was stopped.
    pub fn is_resumed(&self) -> bool {
        self.resumed.swap(false, Relaxed)
    }

    /// Stops the process as if the signal had not been caught, and returns when it continues. The system does not stop a
    /// process that no shell could continue.
    pub fn stop(&self) {
        if let Ok(ours) = set_stop(&default()) {
            let _ = raise(Signal::SIGTSTP);
            let _ = set_stop(&ours);
        }
    }
}

fn default() -> SigAction {
    SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty())
}

fn set_stop(action: &SigAction) -> nix::Result<SigAction> {
    // SAFETY: the handler set is SIG_DFL, or one that was there before.
    unsafe { sigaction(Signal::SIGTSTP, action) }
}
