//! The handling of SIGINT, SIGTERM and SIGHUP.

use crate::base::{Moment, Nanos};
use crate::system::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Signals that are less than this apart count as one. GNU timeout signals its command and then its whole process group,
/// and a shell may forward the Ctrl-C that the terminal has already sent to everyone.
const COUNT_AS_ONE: Nanos = Nanos(100_000_000);

/// Installs the handlers. The first signal requests a stop. The second one, at least 100 ms later, gives the terminal back,
/// removes the temporary files, and ends the process at once with exit code 128 plus the signal's number: 130 for SIGINT,
/// 143 for SIGTERM. A SIGHUP or SIGINT that was ignored at the start stays ignored, as under `nohup` and in the background of a
/// shell script. From then on, [suspensions](super::suspension) are noted.
///
/// Returns a function that acts as the first signal does, for other ways to end a run.
///
/// # Errors
/// The system refuses a handler.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<impl Fn() + Send + use<>> {
    #[cfg(unix)]
    let ignored = unix::ignored()?;
    let first = Arc::new(FirstSignal::default());
    let stop_by_signal = stop.clone();
    ctrlc::set_handler(move || stop_by_signal.request())?;
    #[cfg(unix)]
    unix::exit_on_the_second(&ignored, &first)?;
    #[cfg(unix)]
    crate::system::suspension::install()?;
    Ok(move || {
        first.is_followed();
        stop.request();
    })
}

/// When the first signal came, in nanoseconds of the monotonic clock. 0 before that.
#[derive(Debug, Default)]
struct FirstSignal(AtomicU64);

impl FirstSignal {
    /// Notes that a signal has come. Returns whether it is the second one. This is safe within a signal's handler.
    fn is_followed(&self) -> bool {
        let now = Moment::now();
        match self.0.compare_exchange(0, now.as_nanos(), SeqCst, SeqCst) {
            Ok(_) => false,
            Err(first) => now.since(Moment::at(first)) >= COUNT_AS_ONE,
        }
    }
}

/// Has a write beyond the limit on a file's size fail, instead of ending the process.
///
/// # Errors
/// The system refuses it.
pub fn ignore_file_size_limit() -> std::io::Result<()> {
    #[cfg(unix)]
    unix::ignore_file_size_limit()?;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use super::FirstSignal;
    use crate::system::{temporary_files, terminal};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use signal_hook::low_level;
    use std::ffi::c_int;
    use std::sync::Arc;

    /// The signals that are ignored and may stay so. ctrlc is about to replace their actions.
    pub fn ignored() -> nix::Result<Vec<Signal>> {
        let mut ignored = Vec::new();
        for signal in [Signal::SIGINT, Signal::SIGHUP] {
            let before = set_action(signal, &ignore())?;
            set_action(signal, &before)?;
            if matches!(before.handler(), SigHandler::SigIgn) {
                ignored.push(signal);
            }
        }
        Ok(ignored)
    }

    /// Lets a write beyond the limit on a file's size fail as any other write, instead of ending the process.
    pub fn ignore_file_size_limit() -> nix::Result<()> {
        set_action(Signal::SIGXFSZ, &ignore()).map(drop)
    }

    /// Ends the process within the handler of the second signal: ctrlc's own thread would be later, and does not know
    /// the signal's number.
    pub fn exit_on_the_second(ignored: &[Signal], first: &Arc<FirstSignal>) -> anyhow::Result<()> {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            if ignored.contains(&signal) {
                set_action(signal, &ignore())?;
                continue;
            }
            let signal = signal as c_int;
            let first = first.clone();
            let act = move || {
                if first.is_followed() {
                    terminal::leave();
                    temporary_files::remove_all();
                    low_level::exit(128 + signal);
                }
            };
            // SAFETY: everything that `act` does is safe within a handler.
            unsafe { low_level::register(signal, act)? };
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
