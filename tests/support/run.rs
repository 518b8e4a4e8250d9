//! One run of the real binary: started, signalled, waited for, and never left behind.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

use super::carrier::{self, Carrier};
use super::report::{Report, Stats};
use super::{PATIENCE, eventually, seconds, tls};

/// The variables without the prefix `LOADGEN_` that the command reads, and those by which a machine might send its traffic
/// elsewhere.
const VARIABLES: &str = "\
    TARGETS RPS DURATION BURST_ENABLED BURST_MULTIPLIER BURST_DURATION BURST_INTERVAL \
    http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY";

impl Carrier {
    /// The command with the arguments in `line`, split at white space, set up to reach servers over this carrier.
    pub fn loadgen(self, line: impl AsRef<str>) -> Launch {
        let launch = loadgen(line);
        match self {
            Carrier::Http | Carrier::Ipv6 => launch,
            Carrier::SeveralAddresses => launch.with_hosts(&carrier::hosts()),
            Carrier::HttpsTrusted => launch.trusting(&tls::usual_file()),
            Carrier::HttpsInsecure => launch.env("LOADGEN_INSECURE", "true"),
        }
    }

    /// The command with these targets and options.
    pub fn against(self, targets: impl Display, options: impl Display) -> Launch {
        self.loadgen(format!("--targets {targets} {options}"))
    }
}

/// More columns than any line has.
const WIDE: &str = "100000";

/// The command with the arguments in `line`, split at white space, and none of its variables set.
pub fn loadgen(line: impl AsRef<str>) -> Launch {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(line.as_ref().split_whitespace());
    for variable in VARIABLES.split_whitespace() {
        command.env_remove(variable);
    }
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("LOADGEN_") {
            command.env_remove(variable);
        }
    }
    // Sentences that tests look for are not wrapped. Tests of the usual width remove this.
    command.env("COLUMNS", WIDE);
    Launch { command }
}

pub struct Launch {
    command: Command,
}

impl Launch {
    /// One argument more, taken as it is.
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// More arguments, taken as they are.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With sentences wrapped at the usual width, as people see them.
    pub fn in_80_columns(mut self) -> Self {
        self.command.env_remove("COLUMNS");
        self
    }

    /// The command, for tests that start it themselves.
    pub fn into_command(self) -> Command {
        self.command
    }

    pub fn trusting(self, pem: &Path) -> Self {
        self.env("LOADGEN_CA_CERT", pem.to_str().expect("a path in UTF-8"))
    }

    /// Lets it, and nobody else, see this file in the place of `/etc/hosts`: in a mount namespace,
    /// and a user namespace in which that needs no privilege.
    fn with_hosts(self, hosts: &Path) -> Self {
        let hosts = hosts.to_str().expect("a path in UTF-8");
        let script = format!(r#"mount --bind '{hosts}' /etc/hosts && exec "$0" "$@""#);
        self.within(
            "unshare",
            &["--map-root-user", "--mount", "sh", "-c", &script],
        )
    }

    /// Runs these shell commands first, in the process that it then becomes.
    pub fn after(self, commands: &str) -> Self {
        let script = format!(r#"{commands}; exec "$0" "$@""#);
        self.within("sh", &["-c", &script])
    }

    /// Has another program start it, in the process that it then becomes.
    pub fn within(self, program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(args)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self { command }
    }

    #[track_caller]
    pub fn start(self) -> Run {
        self.start_with(Stdio::piped(), Reading::On, |child| {
            child.stdout.take().expect("a pipe")
        })
    }

    /// Starts it with a standard output that holds little, of which nothing is read before `Run::read_on`.
    #[cfg(unix)]
    #[track_caller]
    pub fn start_unread(self) -> Run {
        let (theirs, ours) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        let shrunk = socket2::SockRef::from(&theirs).set_send_buffer_size(4096);
        shrunk.expect("a small buffer");
        let stdout = std::os::fd::OwnedFd::from(theirs).into();
        self.start_with(stdout, Reading::Held, |_| ours)
    }

    #[track_caller]
    fn start_with<R: Read + Send + 'static>(
        mut self,
        stdout: Stdio,
        reading: Reading,
        reader: impl FnOnce(&mut Child) -> R,
    ) -> Run {
        let started = Instant::now();
        self.command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped());
        handle_interrupts(&mut self.command);
        let mut child = self.command.spawn().expect("a binary that starts");
        // From here on, only the child holds the end that is written to.
        drop(self.command);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reading = Arc::new(Mutex::new(reading));
        let stdout = reader(&mut child);
        let stderr = child.stderr.take().expect("a pipe");
        let readers = (
            thread::spawn({
                let (lines, reading) = (Arc::clone(&lines), Arc::clone(&reading));
                move || read_lines(stdout, &lines, &reading)
            }),
            thread::spawn(move || read_all(stderr)),
        );
        Run {
            child: Some(child),
            started,
            lines,
            reading,
            readers: Some(readers),
        }
    }

    /// Starts it, and waits until it is over.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.start().finish()
    }

    #[track_caller]
    pub fn assert_refused(self, words: &[&str]) {
        self.finish().assert_refused(words);
    }

    /// Starts it, waits until it is over, and reads its summary.
    #[track_caller]
    pub fn report(self) -> Report {
        self.finish().report()
    }
}

/// The tests may run in the background of a script, which ignores SIGINT; the command would ignore it, too.
#[cfg(unix)]
fn handle_interrupts(command: &mut Command) {
    use nix::sys::signal::{SigHandler, Signal, signal};
    use std::os::unix::process::CommandExt;
    let default = || {
        // SAFETY: the default action runs no code of this process.
        unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }?;
        Ok(())
    };
    // SAFETY: `signal` is safe between fork and exec.
    unsafe { command.pre_exec(default) };
}

#[cfg(not(unix))]
fn handle_interrupts(_: &mut Command) {}

/// A line of standard output and the instant at which it was read.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Reading {
    On,
    Held,
    Over,
}

/// Ends when the process closes its standard output, or when the test wants no more of it.
fn read_lines(stdout: impl Read, lines: &Mutex<Vec<Line>>, reading: &Mutex<Reading>) {
    let mut stdout = BufReader::new(stdout);
    let mut bytes = Vec::new();
    loop {
        let reading = *reading.lock().expect("a state");
        match reading {
            Reading::On => {}
            Reading::Held => {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            Reading::Over => return,
        }
        bytes.clear();
        if stdout
            .read_until(b'\n', &mut bytes)
            .expect("a readable pipe")
            == 0
        {
            return;
        }
        let text = String::from_utf8(bytes.clone()).expect("output in UTF-8");
        let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        lines.lock().expect("the lines").push(Line {
            at: Instant::now(),
            text,
        });
    }
}

fn read_all(mut stderr: impl Read) -> String {
    let mut bytes = Vec::new();
    stderr.read_to_end(&mut bytes).expect("a readable pipe");
    String::from_utf8(bytes).expect("diagnostics in UTF-8")
}

/// A process that is running; killed if the test ends before it does.
pub struct Run {
    child: Option<Child>,
    pub started: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
    reading: Arc<Mutex<Reading>>,
    readers: Option<(JoinHandle<()>, JoinHandle<String>)>,
}

impl Run {
    #[cfg(unix)]
    pub fn terminate(&self) -> Instant {
        self.signal(Signal::TERM)
    }

    #[cfg(unix)]
    pub fn hang_up(&self) -> Instant {
        self.signal(Signal::HUP)
    }

    pub fn interrupt(&self) -> Instant {
        self.signal(Signal::INT)
    }

    /// Ends the process at once.
    #[cfg(unix)]
    pub fn end_at_once(&self) -> Instant {
        self.signal(Signal::KILL)
    }

    /// Stops the process, as Ctrl-Z does.
    #[cfg(unix)]
    pub fn stop(&self) -> Instant {
        self.signal(Signal::STOP)
    }

    /// Continues the process.
    #[cfg(unix)]
    pub fn go_on(&self) -> Instant {
        self.signal(Signal::CONT)
    }

    /// When it was sent. A process that is over already is no error.
    #[cfg(unix)]
    fn signal(&self, signal: Signal) -> Instant {
        let child = self.child.as_ref().expect("a child");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a small id")).expect("an id");
        // The child is not waited for yet, so that its id is its own even after its end.
        let _ = kill_process(pid, signal);
        Instant::now()
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("a child").id()
    }

    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().expect("the lines").clone()
    }

    /// Waits for a line of standard output that contains `text`.
    #[track_caller]
    pub fn await_line(&self, text: &str) -> Line {
        let mut found = None;
        eventually(&format!("a line with {text:?}"), || {
            found = self
                .lines()
                .into_iter()
                .find(|line| line.text.contains(text));
            found.is_some()
        });
        found.expect("the line just found")
    }

    /// Closes the reading end of standard output as soon as one more line has come.
    pub fn close_stdout(&self) {
        self.set_reading(Reading::Over);
    }

    /// Reads the standard output that was held back.
    pub fn read_on(&self) {
        self.set_reading(Reading::On);
    }

    fn set_reading(&self, reading: Reading) {
        *self.reading.lock().expect("a state") = reading;
    }

    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut().expect("a child");
        child.try_wait().expect("a child to wait for").is_none()
    }

    /// Waits until it is over. A process that never is, is killed, and the test fails.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let mut status = None;
        let deadline = Instant::now() + PATIENCE;
        while status.is_none() && Instant::now() < deadline {
            status = self
                .child
                .as_mut()
                .expect("a child")
                .try_wait()
                .expect("a child to wait for");
            thread::sleep(Duration::from_millis(2));
        }
        let ended = Instant::now();
        if status.is_none() {
            self.kill();
        }
        // The output that was held back ends now.
        let held = *self.reading.lock().expect("a state") == Reading::Held;
        if held {
            self.read_on();
        }
        let (stdout, stderr) = self.readers.take().expect("the readers");
        stdout.join().expect("a reader that did not panic");
        let finished = Finished {
            status,
            lines: self.lines(),
            stderr: stderr.join().expect("a reader that did not panic"),
            started: self.started,
            ended,
        };
        assert!(
            finished.status.is_some(),
            "still running after {PATIENCE:?}:\n{finished}"
        );
        finished
    }

    /// Sends the signal. The run must end within this many seconds of it.
    #[track_caller]
    pub fn ended_by(self, signal: fn(&Run) -> Instant, most: f64) -> Finished {
        let signalled = signal(&self);
        let finished = self.finish();
        let took = finished.ended - signalled;
        assert!(
            took < seconds(most),
            "{took:?} after its signal:\n{finished}"
        );
        finished
    }

    fn kill(&mut self) {
        self.set_reading(Reading::Over);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The output and the exit status of a run that is over.
pub struct Finished {
    status: Option<ExitStatus>,
    pub lines: Vec<Line>,
    pub stderr: String,
    pub started: Instant,
    pub ended: Instant,
}

/// The first run in which the machine let the generator keep its schedule.
#[track_caller]
pub fn undisturbed(mut launch: impl FnMut() -> Launch) -> Finished {
    let mut runs = std::iter::repeat_with(|| launch().finish()).take(5);
    let is_undisturbed = |finished: &Finished| finished.stdout().contains("schedule kept");
    let undisturbed = runs.find(is_undisturbed);
    undisturbed.expect("a machine that is not too busy")
}

impl Finished {
    /// `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    pub fn took(&self) -> Duration {
        self.ended - self.started
    }

    /// A refusal exits with 2, and is one line on standard error that has all of these words.
    #[track_caller]
    pub fn assert_refused(&self, words: &[&str]) {
        assert_eq!(self.code(), Some(2), "{self}");
        assert!(
            self.lines.is_empty(),
            "something on standard output:\n{self}"
        );
        let one_line = self.stderr.lines().count() == 1 && self.stderr.ends_with('\n');
        assert!(one_line, "not one line on standard error:\n{self}");
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no {word:?} in the line:\n{self}"
            );
        }
    }

    pub fn stdout(&self) -> String {
        self.lines
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }

    pub fn lines_with(&self, text: &str) -> Vec<&Line> {
        self.lines
            .iter()
            .filter(|line| line.text.contains(text))
            .collect()
    }

    /// The stats lines, each with the instant at which it was read.
    #[track_caller]
    pub fn stats(&self) -> Vec<(Instant, Stats)> {
        let lines = self
            .lines
            .iter()
            .filter(|line| line.text.trim_start().starts_with("Requests:"));
        lines
            .map(|line| (line.at, Stats::parse(&line.text)))
            .collect()
    }

    /// The summary of a run that went well, its ledger checked.
    #[track_caller]
    pub fn report(&self) -> Report {
        assert_eq!(self.code(), Some(0), "{self}");
        self.summary()
    }

    /// The summary, its ledger checked, whatever the verdict on the limiter.
    #[track_caller]
    pub fn summary(&self) -> Report {
        assert!(!self.stderr.contains("panicked"), "{self}");
        match Report::parse(&self.stdout()) {
            Ok(report) => report.checked(),
            Err(missing) => panic!("{missing} in the summary:\n{self}"),
        }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self
            .status
            .map_or("killed by the test".to_owned(), |status| status.to_string());
        writeln!(f, "{status}, after {:?}", self.took())?;
        writeln!(
            f,
            "--- stdout\n{}--- stderr\n{}---",
            self.stdout(),
            self.stderr
        )
    }
}
