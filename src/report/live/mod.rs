//! The live view of a run on a terminal.
//!
//! One thread asks for a [`Snapshot`] four times a second, keeps the rates of the last minutes, draws, and reads keys.
//! `view` draws into cells; [`crate::system::terminal`] takes the terminal and gives it back.

mod chart;
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
use crate::system::{Stop, terminal, with_thread_limit};
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

/// The time between two drawings.
const EVERY: Duration = Duration::from_millis(250);

/// The longest wait for a snapshot. Nobody answers before the run begins or after it has ended.
const ANSWERED_WITHIN: Duration = Duration::from_millis(200);

/// The most columns and rows that are drawn. The rest of a larger terminal stays empty.
const LARGEST: (u16, u16) = (400, 150);

/// The view, which is shown until this is closed or dropped.
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
        theme: Theme,
        quit: impl Fn() + Send + 'static,
    ) -> io::Result<Live> {
        let over = Arc::new(AtomicBool::new(false));
        let wake = Arc::new(Wake::install()?);
        leave_on_a_panic();
        let view_loop = ViewLoop {
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
            theme,
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
            view_loop.run(&screen);
        });
        let thread = thread.map_err(with_thread_limit)?;
        Ok(Live {
            over,
            wake,
            thread: Some(thread),
        })
    }

    /// Gives the terminal back. Lines that were printed meanwhile follow.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.wake.wake();
        // The hook has printed a panic of the view, which must not end the run.
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

/// Gives the terminal back before a panic is printed. The view does not come back.
fn leave_on_a_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        terminal::leave();
        before(panic);
    }));
}

/// The time from `elapsed` to the next snapshot: at most one and a half times [`EVERY`]. Snapshots are taken shortly
/// after each quarter of a second. By then, most requests that were due in it are answered, and count for that second.
fn until_next_snapshot(elapsed: Nanos) -> Duration {
    const AFTER: Nanos = Nanos(20_000_000);
    let every = EVERY.as_nanos() as u64;
    let since = (elapsed.0 + every - AFTER.0) % every;
    let next = Duration::from_nanos(every - since);
    if next < EVERY / 2 { next + EVERY } else { next }
}

/// The state of the view's thread.
struct ViewLoop<Q> {
    run: Run,
    requests: SnapshotRequests,
    stop: Arc<Stop>,
    /// `None` after it was called.
    quit: Option<Q>,
    over: Arc<AtomicBool>,
    wake: Arc<Wake>,
    rates: Rates,
    latest: Option<Arc<Snapshot>>,
    /// The snapshot and rates that a frozen view shows.
    frozen: Option<(Arc<Snapshot>, Rates)>,
    /// The cells on the screen; `None` if they are not known.
    drawn: Option<Buffer>,
    keys: bool,
    theme: Theme,
}

/// The next step of the view's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Draw,
    /// Another process has the terminal for now.
    Wait,
    End,
}

impl<Q: Fn()> ViewLoop<Q> {
    /// Ends when the view is closed, the terminal fails, or a panic has given it back.
    fn run(mut self, screen: &Screen) {
        let mut taken: Option<Taken> = None;
        let mut due = Instant::now();
        while !self.over.load(Relaxed) {
            if Instant::now() >= due {
                self.take_snapshot();
                let elapsed = self.latest.as_ref().map(|latest| latest.elapsed);
                due = Instant::now() + until_next_snapshot(elapsed.unwrap_or_default());
            }
            let next = match taken {
                Some(_) => self.show(),
                None if self.latest.is_some() && terminal::is_ours() => {
                    taken = screen.take();
                    if taken.is_some() && terminal::enter().is_ok() {
                        self.show()
                    } else {
                        Next::End
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

    fn take_snapshot(&mut self) {
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
            // The process was stopped by a signal that it cannot catch, and another one had the terminal since.
            if terminal::enter().is_err() {
                return Next::End;
            }
            self.drawn = None;
        }
        let (columns, rows) = terminal::size();
        let area = Rect::new(0, 0, columns.min(LARGEST.0), rows.min(LARGEST.1));
        let mut next = Buffer::empty(area);
        if let Some(view) = self.view() {
            view.draw(&mut next);
        }
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
        if bytes.is_empty() || terminal::draw(&bytes) {
            Next::Draw
        } else {
            Next::End
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

    /// Waits for keys, for a signal, or until `timeout`. Keys are read only while the terminal is ours: the system
    /// stops a background process that reads from its terminal.
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
                Key::Quit => {
                    if let Some(quit) = self.quit.take() {
                        quit();
                    }
                }
                Key::Freeze if self.frozen.is_some() => self.frozen = None,
                Key::Freeze => {
                    let latest = self.latest.clone();
                    self.frozen = latest.map(|latest| (latest, self.rates.clone()));
                }
            }
        }
    }
}
