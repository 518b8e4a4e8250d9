//! The live view in a pseudo-terminal: its contents, and the terminal that it leaves behind.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::support::run;
use crate::support::server::{Reply, Server};
use crate::support::{SIGNALS_APART, at_once, eventually, seconds};
use loadgen::base::{Mode, Nanos};
use loadgen::core::stats::{Buckets, Percentiles, Snapshot, State};
use loadgen::engine::SnapshotRequests;
use loadgen::report::Console;
use loadgen::report::live::{Live, Run, Theme};
use loadgen::system::{Stop, terminal};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use rustix::termios::tcsetwinsize;

/// A pseudo-terminal and the program that runs on it.
struct Terminal {
    keyboard: File,
    parser: Arc<Mutex<vt100::Parser>>,
    reader: Option<thread::JoinHandle<Vec<u8>>>,
    before: Termios,
    child: Child,
}

impl Terminal {
    #[track_caller]
    fn start(mut command: Command, (columns, rows): (u16, u16)) -> Terminal {
        let size = winsize(columns, rows);
        let pty = openpty(Some(&size), None).expect("a pseudo-terminal");
        let slave = || -> Stdio { pty.slave.try_clone().expect("a descriptor").into() };
        command.stdin(slave()).stdout(slave()).stderr(slave());
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm-256color");
        }
        // SAFETY: after the fork, the closure makes two system calls and nothing else.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let before = tcgetattr(&pty.master).expect("a terminal");
        let child = command.spawn().expect("a program that starts");
        drop(command);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(
            cells(rows),
            cells(columns),
            0,
        )));
        let master = File::from(pty.master);
        let keyboard = master.try_clone().expect("a descriptor");
        let reader = thread::spawn({
            let parser = Arc::clone(&parser);
            move || read(master, pty.slave, &parser)
        });
        Terminal {
            keyboard,
            parser,
            reader: Some(reader),
            before,
            child,
        }
    }

    fn press(&self, keys: &str) {
        (&self.keyboard).write_all(keys.as_bytes()).expect("keys");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("an id"));
        kill(pid, signal).expect("a process");
    }

    /// The text on the screen.
    fn contents(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    fn is_view(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        parser.screen().alternate_screen() && parser.screen().hide_cursor()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let start = std::time::Instant::now();
        while !self.contents().contains(text) {
            let shown = self.contents();
            assert!(
                start.elapsed() < crate::support::PATIENCE,
                "no {text:?} in:\n{shown}"
            );
            thread::sleep(seconds(0.01));
        }
    }

    fn resize(&self, columns: u16, rows: u16) {
        let mut parser = self.parser.lock().unwrap();
        parser.screen_mut().set_size(cells(rows), cells(columns));
        let size = rustix::termios::Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.keyboard, size).expect("a terminal");
    }

    #[track_caller]
    fn assert_as_before(&self) {
        let parser = self.parser.lock().unwrap();
        let screen = parser.screen();
        let contents = screen.contents();
        assert!(
            !screen.alternate_screen(),
            "the alternate screen:\n{contents}"
        );
        assert!(!screen.hide_cursor(), "no cursor:\n{contents}");
        assert_eq!(
            tcgetattr(&self.keyboard).expect("a terminal"),
            self.before,
            "{contents}"
        );
    }

    /// Waits for the program's end and checks that the terminal is as it was before. Returns the exit status, the text
    /// on the screen, and everything that was written to it.
    #[track_caller]
    fn finish(mut self) -> (ExitStatus, String, String) {
        let mut status = None;
        eventually("the end", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        let written = self
            .reader
            .take()
            .expect("a reader")
            .join()
            .expect("a reader");
        self.assert_as_before();
        let written = String::from_utf8_lossy(&written).into_owned();
        (status.expect("a status"), self.contents(), written)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until no process has the terminal open. `ours` keeps the terminal open until the program has written to it.
fn read(mut master: File, ours: OwnedFd, parser: &Mutex<vt100::Parser>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut ours = Some(ours);
    let mut bytes = [0; 4096];
    // Linux reports the end as an error.
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        ours.take();
        all.extend_from_slice(&bytes[..count]);
        parser.lock().unwrap().process(&bytes[..count]);
    }
    all
}

fn winsize(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("some")
}

const USUAL: (u16, u16) = (120, 90);

fn loadgen(line: &str) -> Command {
    run::loadgen(line).into_command()
}

/// A run whose view is on the terminal.
#[track_caller]
fn shown(line: &str) -> Terminal {
    let terminal = Terminal::start(loadgen(line), USUAL);
    terminal.shows("q stop");
    assert!(terminal.is_view());
    terminal
}

const DEMO: &str = "--demo --rps 50 --burst-enabled false --stats-interval 1 --duration 60";

/// A run that cannot end by itself.
fn stuck(server: &Server) -> Terminal {
    let terminal = shown(&format!(
        "--targets {} --rps 100 --duration 60 --workers 4 --timeout 60 --drain-timeout 60",
        server.url()
    ));
    terminal.shows("in flight 4");
    terminal
}

fn silent() -> Server {
    Server::start(|_| Reply::silence())
}

/// How many requests were sent to all three targets, as the view shows it.
fn sent(terminal: &Terminal) -> u64 {
    let contents = terminal.contents();
    let all = contents.lines().find(|line| line.starts_with("all 3"));
    let count = all.and_then(|all| all.split_whitespace().nth(2)?.parse().ok());
    count.unwrap_or_else(|| panic!("no count in:\n{contents}"))
}

#[track_caller]
fn assert_summary(contents: &str) {
    assert!(contents.contains("Summary: paced for"), "{contents}");
    assert!(contents.contains("schedule "), "{contents}");
}

#[test]
fn the_view_shows_a_run_and_its_summary_stays() {
    let terminal = shown(DEMO);
    for text in [
        concat!("loadgen ", env!("CARGO_PKG_VERSION")),
        "50/s",
        "STEADY",
        " of 1m, ",
        "due 50/s",
        "sent 5",
        "queue 0",
        "dropped 0",
        "█ allowed",
        "send lag",
        "µs",
        "all 3",
        "http://127.0.0.1:",
        "audit: ",
        "peak per key in 1m: ",
    ] {
        terminal.shows(text);
    }
    let mode = tcgetattr(&terminal.keyboard).unwrap().local_flags;
    assert!(!mode.intersects(LocalFlags::ECHO | LocalFlags::ICANON));
    assert!(mode.contains(LocalFlags::ISIG));
    // Without a view there would be two stats lines by then.
    eventually("two seconds of the run", || sent(&terminal) > 100);
    terminal.press("q");
    let (status, contents, written) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{contents}");
    assert!(contents.starts_with(concat!(
        "loadgen ",
        env!("CARGO_PKG_VERSION"),
        "\n  targets"
    )));
    assert_summary(&contents);
    assert!(
        !written.contains("Requests:") && !written.contains("STEADY MODE"),
        "{written}"
    );
}

#[test]
fn a_run_that_ends_by_itself_leaves_its_summary() {
    let terminal = shown("--demo --rps 20 --duration 2 --burst-enabled false");
    let (status, contents, _) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{contents}");
    assert_summary(&contents);
    assert!(contents.contains("scheduled 40 = sent 40"), "{contents}");
}

#[test]
fn the_view_follows_the_terminals_size() {
    let terminal = shown(DEMO);
    for (columns, rows) in [(40, 12), (10, 3), (1, 1), (200, 60), (80, 24)] {
        terminal.resize(columns, rows);
        // The footer is the last line.
        let footer = &"q stop   p freeze"[..17.min(columns.into())];
        let lines = || {
            terminal
                .contents()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        if rows > 2 {
            eventually("a view of the new size", || {
                let lines = lines();
                lines
                    .last()
                    .is_some_and(|line| line.trim_end() == footer.trim_end())
                    && lines.len() <= rows.into()
            });
        }
    }
    terminal.press("q");
    let (status, contents, _) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{contents}");
}

#[test]
fn a_frozen_view_stands_still_while_the_run_goes_on() {
    let servers: [Server; 3] = std::array::from_fn(|_| Server::start(|_| Reply::allowed()));
    let targets = servers.each_ref().map(Server::url).join(",");
    let arrived = || servers.iter().map(Server::request_count).sum::<u64>();
    let terminal = shown(&format!(
        "--targets {targets} --rps 50 --burst-enabled false --duration 60"
    ));
    terminal.press("p");
    terminal.shows("FROZEN at");
    let (contents, frozen) = (terminal.contents(), sent(&terminal));
    eventually("another second of the run", || arrived() > frozen + 60);
    assert_eq!(terminal.contents(), contents);
    terminal.press("p");
    eventually("a view that goes on", || {
        !terminal.contents().contains("FROZEN")
    });
    assert!(sent(&terminal) > frozen + 50);
    terminal.press("q");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

/// A way to end a run.
type End<'a> = &'a (dyn Fn(&Terminal) + Sync);

#[test]
fn one_signal_ends_a_run_with_its_summary() {
    let ctrl_c = |terminal: &Terminal| terminal.press("\x03");
    let term = |terminal: &Terminal| terminal.signal(Signal::SIGTERM);
    let hangup = |terminal: &Terminal| terminal.signal(Signal::SIGHUP);
    let ends: [(&str, End); 3] = [("^C", &ctrl_c), ("TERM", &term), ("HUP", &hangup)];
    at_once(ends, |(name, end)| {
        let terminal = shown(DEMO);
        end(&terminal);
        let (status, contents, _) = terminal.finish();
        assert_eq!(status.code(), Some(0), "{name}\n{contents}");
        assert_summary(&contents);
    });
}

#[test]
fn a_second_signal_ends_a_run_at_once_and_restores_the_terminal() {
    let server = silent();
    let term = |terminal: &Terminal| terminal.signal(Signal::SIGTERM);
    let ends: [(&str, i32, End); 3] = [
        ("\x03", 130, &|terminal| terminal.press("\x03")),
        // The key counts as a first signal.
        ("q", 130, &|terminal| terminal.press("\x03")),
        ("", 143, &term),
    ];
    for (first, code, end) in ends {
        let terminal = stuck(&server);
        match first {
            "" => end(&terminal),
            keys => terminal.press(keys),
        }
        terminal.shows("stopping; Ctrl-C quits at once");
        terminal.shows("DRAINING");
        thread::sleep(SIGNALS_APART);
        end(&terminal);
        let (status, contents, written) = terminal.finish();
        assert_eq!(status.code(), Some(code), "{contents}");
        assert!(!written.contains("Summary"), "{contents}");
    }
}

#[test]
fn other_fatal_signals_restore_the_terminal() {
    at_once([Signal::SIGQUIT, Signal::SIGABRT], |signal| {
        let terminal = shown(DEMO);
        match signal {
            Signal::SIGQUIT => terminal.press("\x1c"),
            signal => terminal.signal(signal),
        }
        let (status, contents, _) = terminal.finish();
        assert_eq!(status.signal(), Some(signal as i32), "{contents}");
    });
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_view_back() {
    let mut shell = loadgen(DEMO);
    let line = format!("{} {DEMO}\n", shell.get_program().display());
    let envs: Vec<_> = shell
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    shell = Command::new("sh");
    for (name, value) in envs {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.arg("-i").env("PS1", "ready ").env_remove("ENV");
    let terminal = Terminal::start(shell, USUAL);
    terminal.shows("ready");
    let before = tcgetattr(&terminal.keyboard).unwrap();
    terminal.press(&line);
    terminal.shows("q stop");
    for _ in 0..2 {
        terminal.press("\x1a");
        terminal.shows("Stopped");
        let screen_left = || !terminal.is_view();
        eventually("the shell's screen", screen_left);
        eventually("the shell's terminal mode", || {
            tcgetattr(&terminal.keyboard).unwrap() == before
        });
        terminal.press("fg\n");
        terminal.shows("q stop");
        assert!(terminal.is_view());
    }
    terminal.press("q");
    terminal.shows("Summary: paced for");
    terminal.press("exit\n");
    let (_, contents, _) = terminal.finish();
    assert_summary(&contents);
}

#[test]
fn without_a_view_there_are_stats_lines() {
    let line = "--demo --rps 20 --duration 2 --stats-interval 1 --burst-enabled false";
    let cases = [("TERM", "dumb"), ("LOADGEN_NO_TUI", "true"), ("TERM", "")];
    at_once(cases, |(name, value)| {
        let mut command = loadgen(&format!("{line} --color never"));
        command.env(name, value);
        let (status, contents, written) = Terminal::start(command, USUAL).finish();
        assert_eq!(status.code(), Some(0), "{contents}");
        assert!(contents.contains("Requests: "), "{contents}");
        assert!(!written.contains('\x1b'), "{written}");
    });
    let (_, _, written) = Terminal::start(loadgen(&format!("{line} --no-tui")), USUAL).finish();
    // Nothing but the colours of verdicts.
    let mut escapes = written.split('\x1b').skip(1);
    let is_colour = |escape: &str| {
        let end = escape.find(|c: char| c.is_ascii_alphabetic());
        escape.starts_with('[') && end.is_some_and(|end| escape[end..].starts_with('m'))
    };
    assert!(
        written.contains("\x1b[0m") && escapes.all(is_colour),
        "{written}"
    );
    let mut plain = loadgen(&format!("{line} --no-tui"));
    plain.env("NO_COLOR", "1");
    let (_, _, written) = Terminal::start(plain, USUAL).finish();
    assert!(!written.contains('\x1b'), "{written}");
}

#[test]
fn a_refused_run_shows_no_view() {
    let terminal = Terminal::start(loadgen("--targets http://nowhere.invalid"), USUAL);
    let (status, contents, written) = terminal.finish();
    assert_eq!(status.code(), Some(2), "{contents}");
    assert!(!written.contains('\x1b'), "{written}");
}

#[test]
fn no_color_leaves_colours_out() {
    for (no_color, coloured) in [("1", false), ("", true)] {
        let mut command = loadgen(DEMO);
        command.env("NO_COLOR", no_color);
        let terminal = Terminal::start(command, USUAL);
        terminal.shows("█ allowed 5");
        let any = {
            let parser = terminal.parser.lock().unwrap();
            let screen = parser.screen();
            let all = (0..USUAL.1).flat_map(|row| (0..USUAL.0).map(move |column| (row, column)));
            let mut cells = all.filter_map(|(row, column)| screen.cell(row, column));
            cells.any(|cell| {
                cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default
            })
        };
        assert_eq!(any, coloured, "NO_COLOR={no_color}");
        terminal.press("q");
        assert_eq!(terminal.finish().0.code(), Some(0));
    }
}

// The program itself never panics like this, so this test binary runs itself on a terminal of its own.

fn snapshot(mode: Mode) -> Snapshot {
    Snapshot {
        state: State::Pacing { mode, rate: 10.0 },
        started: SystemTime::UNIX_EPOCH,
        elapsed: Nanos(1_000_000_000),
        targets: Vec::new(),
        send_lag: Buckets::default(),
        percentiles: [Percentiles::default(); 3],
        audit: None,
        events: Default::default(),
        since_event: None,
    }
}

fn run() -> Run {
    Run {
        traffic: "10/s".to_owned(),
        seed: Some(1),
        end: None,
        drain: [Duration::ZERO; 2],
        promised: None,
    }
}

/// Shows a view that panics when its key to quit is pressed, calls `meanwhile`, and shows a burst from then on.
fn with_a_view(meanwhile: impl FnOnce()) {
    let requests = SnapshotRequests::default();
    let asked = requests.waiting().clone();
    let (drawn, ready) = (AtomicUsize::new(0), AtomicBool::new(false));
    let shared = Arc::new((drawn, ready));
    thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            for scrape in &asked {
                let ready = shared.1.load(Relaxed);
                let mode = if ready { Mode::Burst } else { Mode::Steady };
                scrape.answer(Arc::new(snapshot(mode)));
                shared.0.fetch_add(1, Relaxed);
            }
        }
    });
    let (drawn, ready) = &*shared;
    let console = Console::start(std::io::stdout(), || {}).unwrap();
    let quit = || panic!("a bug in the view");
    let live = Live::start(
        run(),
        requests,
        console.screen(),
        Arc::new(Stop::default()),
        Theme { colours: true },
        quit,
    )
    .unwrap();
    eventually("a view", terminal::is_shown);
    eprintln!("said meanwhile");
    console.print("printed meanwhile".to_owned());
    console.mention("left out".to_owned());
    let before = drawn.load(Relaxed);
    eventually("a view that is drawn", || drawn.load(Relaxed) > before + 1);
    meanwhile();
    ready.store(true, Relaxed);
    eventually("an end of the view", || !terminal::is_shown());
    live.close();
    console.print("printed after".to_owned());
    let soon = Instant::now() + Duration::from_secs(60);
    console.close(soon).unwrap();
}

#[test]
#[ignore = "run by others, on a terminal"]
fn on_a_terminal_a_thread_panics() {
    with_a_view(|| {
        let thread = thread::spawn(|| panic!("a bug in a thread"));
        assert!(thread.join().is_err());
    });
}

#[test]
#[ignore = "run by others, on a terminal"]
fn on_a_terminal_the_view_panics() {
    with_a_view(|| {});
}

#[track_caller]
fn on_a_terminal(name: &str) -> Terminal {
    let mut command = Command::new(std::env::current_exe().expect("this test binary"));
    let name = format!("live::{name}");
    command.args(["--exact", &name, "--include-ignored", "--nocapture"]);
    command.env("RUST_BACKTRACE", "0");
    Terminal::start(command, USUAL)
}

#[track_caller]
fn assert_all_told(terminal: Terminal, panic: &str) {
    let (status, contents, written) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{contents}");
    let place = |text: &str| {
        let place = contents.find(text);
        place.unwrap_or_else(|| panic!("no {text:?} in:\n{contents}"))
    };
    assert!(place("said meanwhile") < place(panic), "{contents}");
    assert!(
        place("printed meanwhile") < place("printed after"),
        "{contents}"
    );
    assert!(
        written.contains("\x1b[?1049h") && !written.contains("left out"),
        "{written}"
    );
}

#[test]
fn a_panic_anywhere_is_printed_on_a_restored_terminal() {
    assert_all_told(
        on_a_terminal("on_a_terminal_a_thread_panics"),
        "a bug in a thread",
    );
    let terminal = on_a_terminal("on_a_terminal_the_view_panics");
    terminal.shows("BURST");
    terminal.press("q");
    assert_all_told(terminal, "a bug in the view");
}
