//! The handling of SIGINT, SIGTERM and SIGHUP.

use crate::system::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Installs the handlers. The first signal requests a stop. The second one gives the terminal back, removes the
/// temporary files, and ends the process at once with exit code 128 plus the signal's number: 130 for SIGINT, 143 for
/// SIGTERM. A SIGHUP that was ignored at the start, as under `nohup`, stays ignored.
///
/// Returns a function that acts as the first signal does, for other ways to end a run.
///
/// # Errors
/// The system refuses a handler.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<impl Fn() + Send + use<>> {
    #[cfg(unix)]
    let ignored_hangup = unix::ignored_hangup()?;
    #[cfg(unix)]
    unix::ignore_file_size_limit()?;
    let signalled = Arc::new(AtomicBool::new(false));
    let stop_by_signal = stop.clone();
    ctrlc::set_handler(move || stop_by_signal.request())?;
    #[cfg(unix)]
    unix::exit_on_the_second(ignored_hangup, &signalled)?;
    Ok(move || {
        signalled.store(true, SeqCst);
        stop.request();
    })
}

#[cfg(unix)]
mod unix {
    use crate::system::{temporary_files, terminal};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{flag, low_level};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    /// The action of SIGHUP, if that is to ignore it. ctrlc is about to replace it.
    pub fn ignored_hangup() -> nix::Result<Option<SigAction>> {
        let before = set_action(Signal::SIGHUP, &ignore())?;
        set_action(Signal::SIGHUP, &before)?;
        Ok(matches!(before.handler(), SigHandler::SigIgn).then_some(before))
    }

    /// Lets a write beyond the limit on a file's size fail as any other write, instead of ending the process.
    pub fn ignore_file_size_limit() -> nix::Result<()> {
        set_action(Signal::SIGXFSZ, &ignore()).map(drop)
    }

    /// Ends the process within the handler of the second signal: ctrlc's own thread would be later, and does not know
    /// the signal's number. These actions run after ctrlc's, in this order:
    ///
    /// 1. After an earlier signal, clean up.
    /// 2. After an earlier signal, exit.
    /// 3. Note that there was a signal.
    pub fn exit_on_the_second(
        ignored_hangup: Option<SigAction>,
        signalled: &Arc<AtomicBool>,
    ) -> anyhow::Result<()> {
        let mut signals = vec![SIGINT, SIGTERM];
        match ignored_hangup {
            Some(ignore) => drop(set_action(Signal::SIGHUP, &ignore)?),
            None => signals.push(SIGHUP),
        }
        for signal in signals {
            let is_second = signalled.clone();
            let clean_up = move || {
                if is_second.load(SeqCst) {
                    terminal::leave();
                    temporary_files::remove_all();
                }
            };
            // SAFETY: everything that `clean_up` does is safe within a handler.
            unsafe { low_level::register(signal, clean_up)? };
            flag::register_conditional_shutdown(signal, 128 + signal, signalled.clone())?;
            flag::register(signal, signalled.clone())?;
        }
        Ok(())
    }

    fn ignore() -> SigAction {
        SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty())
    }

    fn set_action(signal: Signal, action: &SigAction) -> nix::Result<SigAction> {
        // SAFETY: the handler is SIG_IGN or the one that was set before.
        unsafe { sigaction(signal, action) }
    }
}
