//! A small process that stays behind if this one is killed: it ends the commands that were running, and runs the undos.
//!
//! It is this program itself, started with [`ARGUMENT`], in a session of its own. It learns from lines of JSON on its standard
//! input what there is to do, and begins to do it when that input ends without a farewell.

use super::child_processes::{self, ChildProcess, Orphans};
use crate::base::{Moment, Nanos};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The argument by which the program knows that it is a guard. It is in no help.
pub const ARGUMENT: &str = "--guard-of-events";

/// The time that processes get between SIGTERM and SIGKILL, and after that.
const GRACE: Nanos = Nanos(2_000_000_000);

/// The longest wait for the guard to end after the farewell.
const PATIENCE: Duration = Duration::from_secs(1);

const LOOK_EVERY: Nanos = Nanos(50_000_000);

/// A line for the guard.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// A command with this tag is about to start.
    Starts { tag: String },
    /// It has started, in this process group.
    Started { tag: String, group: i32 },
    /// From now on, this has to be undone.
    Owed {
        name: String,
        words: Vec<String>,
        timeout_ns: u64,
    },
    /// It is undone. If the undo ended by itself, here is its tag: what it has left behind goes on.
    Undone { name: String, tag: Option<String> },
    /// There is nothing to do any more.
    Farewell,
}

/// The guard of this process.
#[derive(Debug)]
pub struct Guard {
    process: Child,
    input: ChildStdin,
}

impl Guard {
    /// # Errors
    /// The program can't be started once more.
    pub fn start() -> io::Result<Guard> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let input = process.stdin.take();
        let input = input.ok_or_else(|| io::Error::other("it has no standard input"))?;
        Ok(Guard { process, input })
    }

    /// A command with this tag is about to start.
    pub fn starts(&mut self, tag: &str) {
        self.tell(&Message::Starts {
            tag: tag.to_owned(),
        });
    }

    /// The command with this tag has started, in this process group.
    pub fn started(&mut self, tag: &str, group: i32) {
        self.tell(&Message::Started {
            tag: tag.to_owned(),
            group,
        });
    }

    /// From now on, this has to be undone, within some time.
    pub fn owes(&mut self, name: &str, words: &[String], timeout: Nanos) {
        self.tell(&Message::Owed {
            name: name.to_owned(),
            words: words.to_owned(),
            timeout_ns: timeout.0,
        });
    }

    /// This is undone. If the undo ended by itself, here is its tag: what it has left behind goes on.
    pub fn undone(&mut self, name: &str, tag: Option<&str>) {
        self.tell(&Message::Undone {
            name: name.to_owned(),
            tag: tag.map(str::to_owned),
        });
    }

    /// Sends the guard away.
    pub fn farewell(mut self) {
        self.tell(&Message::Farewell);
        drop(self.input);
        let since = Instant::now();
        while since.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A guard that is gone is no use, and no harm.
    fn tell(&mut self, message: &Message) {
        let mut line = serde_json::to_string(message).unwrap_or_default();
        line.push('\n');
        let _ = self.input.write_all(line.as_bytes());
    }
}

/// What the guard has to do if its input ends.
#[derive(Debug, Default)]
struct Duties {
    /// The tags of commands, and their process groups.
    commands: Vec<(String, Option<i32>)>,
    /// The names, the commands and the longest times of the undos, in the order of their events.
    owed: Vec<(String, Vec<String>, Nanos)>,
}

/// Does what a guard does, and returns when there is nothing left to do.
pub fn stand() {
    // Its own session has no terminal, so that no key reaches it.
    let _ = rustix::process::setsid();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // A handler, unlike an ignored signal, is not passed on to undos.
        // SAFETY: it does nothing.
        let _ = unsafe { signal_hook::low_level::register(signal, || {}) };
    }
    let mut duties = Duties::default();
    for line in io::stdin().lock().lines() {
        let Ok(message) = line
            .map_err(drop)
            .and_then(|line| serde_json::from_str::<Message>(&line).map_err(drop))
        else {
            break;
        };
        match message {
            Message::Starts { tag } => duties.commands.push((tag, None)),
            Message::Started { tag, group } => {
                let mut commands = duties.commands.iter_mut();
                if let Some(command) = commands.find(|command| command.0 == tag) {
                    command.1 = Some(group);
                }
            }
            Message::Owed {
                name,
                words,
                timeout_ns,
            } => duties.owed.push((name, words, Nanos(timeout_ns))),
            Message::Undone { name, tag } => {
                duties.owed.retain(|owed| owed.0 != name);
                duties
                    .commands
                    .retain(|command| Some(&command.0) != tag.as_ref());
            }
            Message::Farewell => return,
        }
    }
    duties.fulfil();
}

impl Duties {
    fn fulfil(mut self) {
        let commands = self.commands.into_iter();
        let orphans: Vec<_> = commands
            .map(|(tag, group)| Orphans { tag, group })
            .collect();
        end(&orphans);
        while let Some((name, words, timeout)) = self.owed.pop() {
            let mut errors = io::stderr();
            let _ = writeln!(errors, "loadgen was killed; its guard undoes {name}");
            let tag = uuid::Uuid::new_v4().simple().to_string();
            let started = ChildProcess::start(child_processes::Start {
                words: &words,
                tag: &tag,
                event: &name,
                kept_output: 1,
            });
            let mut child = match started {
                Ok(child) => child,
                Err(error) => {
                    let _ = writeln!(errors, "loadgen: the undo of event {name} failed: {error}");
                    continue;
                }
            };
            let deadline = Moment::now() + timeout;
            while child.look().is_none() && Moment::now() < deadline {
                child_processes::wait(&[&child], deadline.min(Moment::now() + LOOK_EVERY));
            }
            if child.look().is_none() {
                let group = Some(child.group());
                end(&[Orphans { tag, group }]);
            }
        }
    }
}

/// Ends these processes, within twice [`GRACE`].
fn end(orphans: &[Orphans]) {
    let begin = Moment::now();
    orphans.iter().for_each(Orphans::terminate);
    while !orphans.iter().all(Orphans::are_gone) {
        let passed = Moment::now().since(begin);
        if passed >= GRACE + GRACE {
            return;
        }
        if passed >= GRACE {
            orphans.iter().for_each(Orphans::kill);
        }
        std::thread::sleep(LOOK_EVERY.into());
    }
}
