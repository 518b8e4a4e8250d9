//! What SIGINT, SIGTERM and SIGHUP do.

use crate::system::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The first signal requests a stop; the second ends the process at once, with 128 and the
/// signal's number as its exit code (130 for SIGINT, 143 for SIGTERM), and with it the files that are not complete. A SIGHUP that was ignored
/// at the start, as `nohup` has it, stays ignored.
///
/// Returns what does as the first signal, for whoever else may ask for the run's end.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<impl Fn() + Send + use<>> {
    #[cfg(unix)]
    let hangup = unix::ignored_hangup()?;
    #[cfg(unix)]
    unix::survive_files_too_large()?;
    let signalled = Arc::new(AtomicBool::new(false));
    let stop_by_signal = stop.clone();
    ctrlc::set_handler(move || stop_by_signal.request())?;
    #[cfg(unix)]
    unix::exit_on_the_second(hangup, &signalled)?;
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

    /// How SIGHUP is ignored, if it is.
    pub fn ignored_hangup() -> nix::Result<Option<SigAction>> {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        let before = set_hangup(&ignore)?;
        set_hangup(&before)?;
        Ok(matches!(before.handler(), SigHandler::SigIgn).then_some(before))
    }

    /// A write beyond a limit on files' sizes fails, as any other may, and does not end the process.
    pub fn survive_files_too_large() -> nix::Result<()> {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: no function of this program is set.
        unsafe { sigaction(Signal::SIGXFSZ, &ignore) }.map(drop)
    }

    /// Leaves on a second signal within the handler itself: ctrlc's thread would be later, and
    /// does not know the signal's number. These actions run after ctrlc's, in this order: if there
    /// was a signal before, give the terminal back, remove what is not to be left, and leave; then note that there was one.
    pub fn exit_on_the_second(
        ignored_hangup: Option<SigAction>,
        signalled: &Arc<AtomicBool>,
    ) -> anyhow::Result<()> {
        let mut signals = vec![SIGINT, SIGTERM];
        match ignored_hangup {
            Some(action) => drop(set_hangup(&action)?),
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
            // SAFETY: all it does may be done within a handler.
            unsafe { low_level::register(signal, clean_up)? };
            flag::register_conditional_shutdown(signal, 128 + signal, signalled.clone())?;
            flag::register(signal, signalled.clone())?;
        }
        Ok(())
    }

    fn set_hangup(action: &SigAction) -> nix::Result<SigAction> {
        // SAFETY: the handler set is either SIG_IGN or the one that was there before.
        unsafe { sigaction(Signal::SIGHUP, action) }
    }
}
