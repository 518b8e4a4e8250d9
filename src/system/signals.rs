//! The handling of SIGINT, SIGTERM and SIGHUP.

use crate::base::{Moment, Nanos};
use crate::system::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Signals that are less than this apart count as one. GNU timeout signals its command and then its whole process group,
/// and a shell may forward the Ctrl-C that the terminal has already sent to everyone.
const COUNT_AS_ONE: Nanos = Nanos(100_000_000);

/// Installs the handlers. The first signal requests a stop. The second one, at least 100 ms later, gives the terminal back,
/// removes the temporary files, and ends the process at once with exit code 128 plus the signal's number: 130 for SIGINT,
/// 143 for SIGTERM. An [`ExitHold`] delays that, and after [`Signals::begin_last_wait`] one more signal is needed. A SIGHUP
/// or SIGINT that was ignored at the start stays ignored, as under `nohup` and in the background of a shell script. From then
/// on, [suspensions](super::suspension) are noted.
///
/// # Errors
/// The system refuses a handler.
pub fn install(stop: Arc<Stop>) -> anyhow::Result<Signals> {
    #[cfg(unix)]
    let ignored = unix::ignored()?;
    let signals = Signals(Arc::new(Received {
        stop,
        first: FirstSignal::default(),
        last_wait: AtomicU8::new(NOT_YET),
        last_wait_ended: Stop::default(),
        ending: FirstSignal::default(),
    }));
    let received = signals.0.clone();
    ctrlc::set_handler(move || received.react())?;
    #[cfg(unix)]
    unix::exit_on_further_ones(&ignored, &signals.0)?;
    #[cfg(unix)]
    unix::notice_ended_children()?;
    #[cfg(unix)]
    crate::system::suspension::install()?;
    Ok(signals)
}

/// The signals that this process has received. A clone is a handle to the same.
#[derive(Debug, Clone)]
pub struct Signals(Arc<Received>);

impl Signals {
    /// Acts as the first signal does, for other ways to end a run.
    pub fn act_as_first(&self) {
        self.0.first.is_followed();
        self.0.stop.request();
    }

    /// Whether a signal has come, or something that acts as one.
    pub fn have_come(&self) -> bool {
        self.0.first.has_come()
    }

    /// Begins a wait after which the process ends, and which a signal is to end. From now on the next signal ends that wait,
    /// and only the one after it ends the process at once. Returns whether a signal has come before.
    pub fn begin_last_wait(&self) -> bool {
        let is_stopped = self.have_come();
        let wait = if is_stopped {
            AFTER_A_SIGNAL
        } else {
            UNDISTURBED
        };
        self.0.last_wait.store(wait, SeqCst);
        is_stopped
    }

    /// Waits for the signal that ends the last wait, at most for `timeout`.
    pub fn wait(&self, timeout: Duration) {
        self.0.last_wait_ended.wait(timeout);
    }
}

#[derive(Debug)]
struct Received {
    stop: Arc<Stop>,
    first: FirstSignal,
    /// [`NOT_YET`], [`UNDISTURBED`] or [`AFTER_A_SIGNAL`].
    last_wait: AtomicU8,
    last_wait_ended: Stop,
    /// The signal that ended the last wait.
    ending: FirstSignal,
}

/// The last wait has not begun.
const NOT_YET: u8 = 0;
/// The last wait has begun, and no signal had come before it.
const UNDISTURBED: u8 = 1;
/// The last wait has begun, and a signal had come before it.
const AFTER_A_SIGNAL: u8 = 2;

impl Received {
    /// What a signal causes outside of its handler, on a thread of ctrlc's.
    fn react(&self) {
        // Read before the stop is requested, since the last wait may begin as soon as it is.
        let ends_wait = self.ends_last_wait();
        self.stop.request();
        if ends_wait {
            self.last_wait_ended.request();
        }
    }

    /// Whether the signal that has just come ends the last wait.
    fn ends_last_wait(&self) -> bool {
        let is_further = self.first.is_followed();
        match self.last_wait.load(SeqCst) {
            AFTER_A_SIGNAL => is_further,
            wait => wait == UNDISTURBED,
        }
    }

    /// Notes a signal. Returns whether it ends the process at once. This is safe within a signal's handler.
    #[cfg(unix)]
    fn ends_process(&self) -> bool {
        match self.last_wait.load(SeqCst) {
            NOT_YET => self.first.is_followed(),
            _ => self.ends_last_wait() && self.ending.is_followed(),
        }
    }
}

/// When the first signal came, in nanoseconds of the monotonic clock. 0 before that.
#[derive(Debug, Default)]
struct FirstSignal(AtomicU64);

impl FirstSignal {
    fn has_come(&self) -> bool {
        self.0.load(SeqCst) != 0
    }

    /// Notes that a signal has come. Returns whether it is the second one. This is safe within a signal's handler.
    fn is_followed(&self) -> bool {
        let now = Moment::now();
        match self.0.compare_exchange(0, now.as_nanos(), SeqCst, SeqCst) {
            Ok(_) => false,
            Err(first) => now.since(Moment::at(first)) >= COUNT_AS_ONE,
        }
    }
}

/// The exit code of the signal that was to end the process at once. 0 before that.
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);

/// The number of signals so far that were to end the process at once, and the moment of the last of them, in nanoseconds of
/// the monotonic clock.
static ENDING: AtomicU32 = AtomicU32::new(0);
static LAST_ENDING: AtomicU64 = AtomicU64::new(0);

/// The number of [`ExitHold`]s, and of those among them that wait for an undo.
static HOLDS: AtomicUsize = AtomicUsize::new(0);
static UNDOING: AtomicUsize = AtomicUsize::new(0);

/// How urgently the process is to end, as its signals say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// No signal is to end it at once.
    None,
    /// One is: commands are to be killed, and undos are to run.
    AfterUndos,
    /// Another one is: even undos are to be given up.
    AtOnce,
}

/// How urgently the process is to end. Beyond [`Urgency::None`] only while there is an [`ExitHold`].
pub fn urgency() -> Urgency {
    match ENDING.load(SeqCst) {
        0 => Urgency::None,
        1 => Urgency::AfterUndos,
        _ => Urgency::AtOnce,
    }
}

/// Keeps signals from ending the process at once, so that commands that are running can be ended, and undos can run. Whoever
/// has it looks at [`urgency`], and drops it as soon as that allows: if a signal was to end the process, it ends then. The
/// third such signal ends it in any case.
#[derive(Debug)]
pub struct ExitHold {
    waits_for_undo: bool,
}

impl ExitHold {
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> ExitHold {
        HOLDS.fetch_add(1, SeqCst);
        ExitHold {
            waits_for_undo: false,
        }
    }

    /// Sets whether the process has to wait for an undo. A signal that is to end it at once then says so on standard error.
    pub fn wait_for_undo(&mut self, waits: bool) {
        if waits != self.waits_for_undo {
            self.waits_for_undo = waits;
            if waits {
                UNDOING.fetch_add(1, SeqCst);
            } else {
                UNDOING.fetch_sub(1, SeqCst);
            }
        }
    }
}

impl Drop for ExitHold {
    fn drop(&mut self) {
        self.wait_for_undo(false);
        if HOLDS.fetch_sub(1, SeqCst) == 1 {
            // A handler sets the code before it looks for holds, so that one of both sees the other.
            #[cfg(unix)]
            match EXIT_CODE.load(SeqCst) {
                0 => {}
                code => unix::exit(code),
            }
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
    use super::{
        COUNT_AS_ONE, ENDING, EXIT_CODE, HOLDS, LAST_ENDING, Moment, Received, SeqCst, UNDOING,
    };
    use crate::system::{temporary_files, terminal};
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::stdio::stderr;
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

    /// Without this, the system forgets how a command ended if the program that started this one ignores SIGCHLD, which is
    /// inherited.
    pub fn notice_ended_children() -> nix::Result<()> {
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        set_action(Signal::SIGCHLD, &default).map(drop)
    }

    /// Ends the process within a signal's handler: ctrlc's own thread would be later, and does not know the signal's number.
    pub fn exit_on_further_ones(
        ignored: &[Signal],
        received: &Arc<Received>,
    ) -> anyhow::Result<()> {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            if ignored.contains(&signal) {
                set_action(signal, &ignore())?;
                continue;
            }
            let signal = signal as c_int;
            let received = received.clone();
            let act = move || {
                if received.ends_process() {
                    end(128 + signal);
                }
            };
            // SAFETY: everything that `act` does is safe within a handler.
            unsafe { low_level::register(signal, act)? };
        }
        Ok(())
    }

    /// Ends the process at once, unless something holds it. This is safe within a signal's handler.
    fn end(exit_code: c_int) {
        EXIT_CODE.store(exit_code, SeqCst);
        if HOLDS.load(SeqCst) == 0 {
            exit(exit_code);
        }
        let (now, last) = (Moment::now(), LAST_ENDING.load(SeqCst));
        let is_another = last == 0 || now.since(Moment::at(last)) >= COUNT_AS_ONE;
        let is_noted = || LAST_ENDING.compare_exchange(last, now.as_nanos(), SeqCst, SeqCst);
        if !is_another || is_noted().is_err() {
            return;
        }
        let before = ENDING.fetch_add(1, SeqCst);
        if before >= MOST_HELD {
            exit(exit_code);
        }
        terminal::leave();
        if before == 0 && UNDOING.load(SeqCst) > 0 {
            say(b"loadgen: waiting for the undo of what this run has done; a third signal skips it\n");
        }
    }

    /// The number of signals that a hold can keep from ending the process.
    const MOST_HELD: u32 = 2;

    /// Ends the process at once. This is safe within a signal's handler.
    pub fn exit(code: c_int) -> ! {
        terminal::leave();
        temporary_files::remove_all();
        low_level::exit(code)
    }

    /// Writes to standard error, unless its reader is slow.
    fn say(line: &[u8]) {
        let mut polled = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
        let at_once = Timespec::default();
        if poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0) {
            let _ = rustix::io::write(stderr(), line);
        }
    }

    fn ignore() -> SigAction {
        SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty())
    }

    fn set_action(signal: Signal, action: &SigAction) -> nix::Result<SigAction> {
        // SAFETY: the handler is SIG_IGN, SIG_DFL or the one that was set before.
        unsafe { sigaction(signal, action) }
    }
}
