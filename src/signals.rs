//! What SIGINT, SIGTERM and SIGHUP do.

use crate::stop::Stop;
use std::sync::Arc;

/// The first signal requests a stop; the second ends the process at once, with 128 and the
/// signal's number as its exit code (130 for SIGINT, 143 for SIGTERM). A SIGHUP that was ignored
/// at the start, as `nohup` has it, stays ignored.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<()> {
    #[cfg(unix)]
    let hangup = unix::ignored_hangup()?;
    ctrlc::set_handler(move || stop.request())?;
    #[cfg(unix)]
    unix::exit_on_the_second(hangup)?;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// How SIGHUP is ignored, if it is.
    pub fn ignored_hangup() -> nix::Result<Option<SigAction>> {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        let before = set_hangup(&ignore)?;
        set_hangup(&before)?;
        Ok(matches!(before.handler(), SigHandler::SigIgn).then_some(before))
    }

    /// Leaves on a second signal within the handler itself: ctrlc's thread would be later, and
    /// does not know the signal's number. These actions run after ctrlc's, in this order: leave if
    /// there was a signal before, then note that there was one.
    pub fn exit_on_the_second(ignored_hangup: Option<SigAction>) -> anyhow::Result<()> {
        let mut signals = vec![SIGINT, SIGTERM];
        match ignored_hangup {
            Some(action) => drop(set_hangup(&action)?),
            None => signals.push(SIGHUP),
        }
        let signalled = Arc::new(AtomicBool::new(false));
        for signal in signals {
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
