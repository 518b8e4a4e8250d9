//! The live view: what is known of a run while it goes on, on a terminal.
//!
//! One thread asks for a [`Snapshot`] four times a second, keeps the rates of the last minutes,
//! draws, and reads keys. `view` is what is drawn, [`crate::system::terminal`] where, and how the terminal is given back.

mod chart;
mod clock;
mod keys;
mod rates;
mod theme;
mod view;
mod wake;

pub use rates::Rates;
pub use theme::Theme;
pub use view::{Promised, Run, View};

use super::Screen;
use super::console::Taken;
use crate::base::Nanos;
use crate::core::stats::Snapshot;
use crate::engine::SnapshotRequests;
use crate::system::{Stop, terminal};
use keys::{Key, keys};
use nix::sys::signal::{SigSet, Signal};
use ratatui::backend::{Backend, TermionBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use wake::Wake;

/// How often the view is drawn.
const EVERY: Duration = Duration::from_millis(250);

/// How long a snapshot is waited for. Nobody answers before the run begins and after it has ended.
const ANSWERED_WITHIN: Duration = Duration::from_millis(200);

/// The most cells that are drawn, each way; what is beyond stays empty.
const LARGEST: (u16, u16) = (400, 150);

/// The view, until it is closed or dropped.
#[derive(Debug)]
pub struct Live {
    over: Arc<AtomicBool>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Shows the run that answers `requests`, from its first answer on. `quit` is called, once, when the key for it is
    /// pressed.
    ///
    /// # Errors
    /// The system has no thread, or no pipe, for it.
    pub fn start(
        run: Run,
        requests: SnapshotRequests,
        screen: Screen,
        stop: Arc<Stop>,
        quit: impl Fn() + Send + 'static,
    ) -> io::Result<Live> {
        let over = Arc::new(AtomicBool::new(false));
        let wake = Arc::new(Wake::install()?);
        leave_on_a_panic();
        let shown = Shown {
            run,
            requests,
            stop,
            quit: Some(quit),
            over: over.clone(),
            wake: wake.clone(),
            rates: Rates::default(),
            latest: None,
            frozen: None,
            drawn: None,
            keys: rustix::termios::isatty(rustix::stdio::stdin()),
            theme: Theme::of_environment(),
        };
        let thread = thread::Builder::new().name("live".to_owned());
        let thread = thread.spawn(move || {
            // Their handlers may give the terminal back, and wait for this thread to be done with it.
            let handled = [
                Signal::SIGINT,
                Signal::SIGTERM,
                Signal::SIGHUP,
                Signal::SIGQUIT,
            ];
            let _ = handled.into_iter().collect::<SigSet>().thread_block();
            shown.run(&screen);
        })?;
        Ok(Live {
            over,
            wake,
            thread: Some(thread),
        })
    }

    /// Gives the terminal back. What was printed meanwhile follows.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.wake.wake();
        // A panic of it has been told, and is not the run's.
        self.thread.take().map(JoinHandle::join);
        terminal::leave();
        self.wake.uninstall();
        let discarded = terminal::discarded();
        if discarded > 0 {
            let _ = writeln!(
                io::stderr(),
                "loadgen: the first {discarded} bytes of standard error were discarded"
            );
        }
    }
}

/// So that what a panic says is seen, on a terminal as it was. The view does not come back.
fn leave_on_a_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        terminal::leave();
        before(panic);
    }));
}

/// At most [`EVERY`] and a half, from `elapsed` in the run on. Looks are a little after the quarters of its seconds, by
/// when what was due then has mostly been answered: so a second's count is that of its own requests.
fn until_next_look(elapsed: Nanos) -> Duration {
    const AFTER: Nanos = Nanos(20_000_000);
    let every = EVERY.as_nanos() as u64;
    let since = (elapsed.0 + every - AFTER.0) % every;
    let next = Duration::from_nanos(every - since);
    match next < EVERY / 2 {
        true => next + EVERY,
        false => next,
    }
}

struct Shown<Q> {
    run: Run,
    requests: SnapshotRequests,
    stop: Arc<Stop>,
    /// Until it was called.
    quit: Option<Q>,
    over: Arc<AtomicBool>,
    wake: Arc<Wake>,
    rates: Rates,
    latest: Option<Arc<Snapshot>>,
    /// What is shown instead.
    frozen: Option<(Arc<Snapshot>, Rates)>,
    /// What is on the screen.
    drawn: Option<Buffer>,
    keys: bool,
    theme: Theme,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Draw,
    /// The terminal is somebody else's for now.
    Wait,
    End,
}

impl<Q: Fn()> Shown<Q> {
    /// Ends when the view is closed, the terminal fails, or a panic has given it back.
    fn run(mut self, screen: &Screen) {
        let mut taken: Option<Taken> = None;
        let mut due = Instant::now();
        while !self.over.load(Relaxed) {
            if Instant::now() >= due {
                self.look();
                let elapsed = self.latest.as_ref().map(|latest| latest.elapsed);
                due = Instant::now() + until_next_look(elapsed.unwrap_or_default());
            }
            let next = match taken {
                Some(_) => self.show(),
                None if self.latest.is_some() && terminal::is_ours() => {
                    taken = screen.take();
                    match taken.is_some() && terminal::enter().is_ok() {
                        true => self.show(),
                        false => Next::End,
                    }
                }
                None => Next::Wait,
            };
            match next {
                Next::Draw => {}
                Next::Wait => {
                    terminal::leave();
                    self.drawn = None;
                    taken = None;
                }
                Next::End => break,
            }
            if self.wake.is_to_stop() {
                terminal::leave();
                self.drawn = None;
                taken = None;
                self.wake.stop();
                continue;
            }
            self.wait(
                due.saturating_duration_since(Instant::now()),
                taken.is_some(),
            );
        }
        terminal::leave();
    }

    fn look(&mut self) {
        terminal::limit_backlog();
        if let Some(snapshot) = self.requests.ask(ANSWERED_WITHIN) {
            let totals = snapshot.targets.iter().map(|target| target.ledger).sum();
            self.rates.add(snapshot.elapsed, &totals);
            self.latest = Some(snapshot);
        }
    }

    fn show(&mut self) -> Next {
        if !terminal::is_shown() {
            return Next::End;
        }
        if !terminal::is_ours() {
            return Next::Wait;
        }
        let mut bytes = Vec::new();
        if self.wake.is_resumed() {
            // Somebody stopped this process without asking, and another had the terminal since.
            if terminal::enter().is_err() {
                return Next::End;
            }
            self.drawn = None;
        }
        let (columns, rows) = terminal::size();
        let area = Rect::new(0, 0, columns.min(LARGEST.0), rows.min(LARGEST.1));
        let mut next = Buffer::empty(area);
        self.view()
            .into_iter()
            .for_each(|view| view.draw(&mut next));
        let before = match self.drawn.take() {
            Some(drawn) if drawn.area == area => drawn,
            _ => {
                bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
                Buffer::empty(area)
            }
        };
        let changed = before.diff(&next);
        if !changed.is_empty() {
            // Cannot fail: a Vec takes everything.
            let _ = TermionBackend::new(&mut bytes).draw(changed.into_iter());
        }
        self.drawn = Some(next);
        match bytes.is_empty() || terminal::draw(&bytes) {
            true => Next::Draw,
            false => Next::End,
        }
    }

    fn view(&self) -> Option<View<'_>> {
        let (snapshot, rates) = match &self.frozen {
            Some((snapshot, rates)) => (snapshot, rates),
            None => (self.latest.as_ref()?, &self.rates),
        };
        let starts_in = snapshot.started.duration_since(SystemTime::now());
        Some(View {
            run: &self.run,
            snapshot,
            rates,
            starts_in: starts_in.unwrap_or_default(),
            frozen: self.frozen.is_some(),
            stopping: self.stop.is_requested(),
            keys: self.keys,
            theme: self.theme,
        })
    }

    /// Waits for keys, for a signal, or for the time to look again. Whoever reads keys of a terminal that is not theirs is
    /// stopped by the system.
    fn wait(&mut self, timeout: Duration, shown: bool) {
        let stdin = rustix::stdio::stdin();
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let reads = shown && self.keys;
        let mut polled = vec![PollFd::new(self.wake.receiver(), PollFlags::IN)];
        if reads {
            polled.push(PollFd::new(&stdin, PollFlags::IN));
        }
        if poll(&mut polled, Some(&timeout)).is_err() {
            return;
        }
        let pressed = polled
            .get(1)
            .is_some_and(|stdin| !stdin.revents().is_empty());
        if !polled[0].revents().is_empty() {
            self.wake.clear();
        }
        if pressed && terminal::is_ours() {
            self.read_keys();
        }
    }

    fn read_keys(&mut self) {
        let mut bytes = [0; 64];
        let count = match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
            Ok(0) => {
                self.keys = false;
                return;
            }
            Ok(count) => count,
            Err(_) => return,
        };
        for key in keys(&bytes[..count]) {
            match key {
                Key::Quit => self.quit.take().into_iter().for_each(|quit| quit()),
                Key::Freeze => {
                    self.frozen = match self.frozen.take() {
                        Some(_) => None,
                        None => self
                            .latest
                            .clone()
                            .map(|latest| (latest, self.rates.clone())),
                    }
                }
            }
        }
    }
}
