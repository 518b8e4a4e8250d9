//! What happens to the cluster in the course of a run, and marks.

use super::values::{boolean, file, read_at_most, timeout};
use super::{Arguments, Opt, Options, Refusal, opt};
use crate::base::Nanos;
use crate::base::text::{SyntaxError, shortened};
use crate::core::events::{
    EventCommand, EventLine, Expectation, Line, PlannedEvent, UndoLine, paired,
};
use crate::core::threshold::Threshold;
use crate::system::programs;
use clap::Args;
use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Events")]
pub struct Events {
    /// Run a command at this time of the schedule, such as `30s docker compose pause redis`. `30s redis goes = docker compose
    /// pause redis` names it, and `30s NAME =` only marks the time. No shell reads the command. May be repeated; the
    /// variable has one event per line
    #[arg(long, env = "LOADGEN_AT", hide_env_values = true, value_name = "EVENT", value_parser = opt(event_lines),
          allow_hyphen_values = true)]
    pub at: Vec<Opt<Lines<EventLine>>>,

    /// Run a command that must run if the event of this name did: `redis goes = docker compose unpause redis` at the end of
    /// the run, however it ends, and `40s redis goes = …` at that time or at an earlier end. May be repeated; the variable
    /// has one per line
    #[arg(long, env = "LOADGEN_UNDO", hide_env_values = true, value_name = "UNDO", value_parser = opt(undo_lines),
          allow_hyphen_values = true)]
    pub undo: Vec<Opt<Lines<UndoLine>>>,

    /// A file with one event per line, as for --at. A line may also be `undo` and an undo, as for --undo, or `expect` and a
    /// threshold, as for --threshold. Lines that begin with # are comments; - is standard input. May be repeated
    #[arg(long, env = "LOADGEN_EVENTS", hide_env_values = true, value_name = "FILE", value_parser = opt(file()))]
    pub events: Vec<Opt<PathBuf>>,

    /// The longest time that each undo may take
    #[arg(long, env = "LOADGEN_UNDO_TIMEOUT", hide_env_values = true, value_name = "TIME", value_parser = timeout,
          default_value = "30s", allow_hyphen_values = true)]
    pub undo_timeout: Duration,

    /// Let anybody who reaches --metrics-addr mark a moment of the run: POST /marks with the JSON body {"name":"…"}
    #[arg(long, env = "LOADGEN_ACCEPT_MARKS", hide_env_values = true, value_name = "BOOL", value_parser = opt(boolean),
          default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub accept_marks: Opt<bool>,
}

/// The largest file of events, in bytes.
const MOST_TEXT: u64 = 1 << 20;

/// The most characters that a refusal repeats of a program's name.
const MOST_SHOWN: usize = 200;

/// The place of an event or an undo.
struct Place<'a> {
    /// The flag or the variable.
    asked_by: String,
    /// Whether the text itself is that of a variable.
    is_of_a_variable: bool,
    /// The text that a refusal repeats: of an option, the event; of a file, its name.
    value: &'a str,
    /// The line, from 1, if there may be several.
    line: Option<usize>,
}

impl Place<'_> {
    fn refuse(&self, wrong: &SyntaxError) -> Refusal {
        let allowed = match self.line {
            Some(line) => format!("line {line}, {wrong}"),
            None => wrong.to_string(),
        };
        Refusal::wrong(&self.asked_by, self.value, &allowed)
    }

    /// Refuses a command whose program is not there.
    fn check_program(&self, command: &EventCommand) -> Result<(), Refusal> {
        let program = &command.words[0];
        if programs::can_be_run(program) {
            return Ok(());
        }
        let program = shortened(program, MOST_SHOWN);
        let allowed = if program.contains('/') {
            format!("the command must begin with a program, and there is none at {program}")
        } else {
            format!(
                "the command must begin with a program, and {program} is not in the folders of PATH"
            )
        };
        Err(Refusal::wrong(
            &self.asked_by,
            self.value,
            &self.at_line(&allowed),
        ))
    }

    fn at_line(&self, allowed: &str) -> String {
        match self.line {
            Some(line) => format!("line {line}: {allowed}"),
            None => allowed.to_owned(),
        }
    }
}

impl Events {
    /// Reads the files.
    ///
    /// # Errors
    /// A file can't be read, a line of it is wrong, or a program is not there.
    pub(super) fn read<'a>(
        &'a self,
        arguments: &Arguments<Options>,
    ) -> Result<WrittenEvents<'a>, Refusal> {
        let mut written = WrittenEvents {
            events: placed(arguments, &self.at),
            undos: placed(arguments, &self.undo),
            expectations: Vec::new(),
        };
        let mut reads_standard_input = false;
        for given in &self.events {
            let is_standard_input = **given == Path::new("-");
            if is_standard_input && std::mem::replace(&mut reads_standard_input, true) {
                return Err(arguments.refuse(given, "must be given once"));
            }
            written.read_file(arguments, given)?;
        }
        if written.events.is_empty() {
            // A variable may be set for all runs.
            written.undos.retain(|(place, _)| !place.is_of_a_variable);
        }
        for (place, event) in &written.events {
            let mut command = event.command.iter();
            command.try_for_each(|command| place.check_program(command))?;
        }
        for (place, undo) in &written.undos {
            place.check_program(undo.command())?;
        }
        Ok(written)
    }

    /// Whether marks are accepted at the address of the metrics, if there is one.
    ///
    /// # Errors
    /// The flag was given, and there is no such address. A variable may be set for all runs.
    pub(super) fn accepts_marks(&self, arguments: &Arguments<Options>) -> Result<bool, Refusal> {
        let has_address = arguments.options.generator.metrics_addr.is_some();
        if *self.accept_marks && !has_address && arguments.is_flag(&self.accept_marks) {
            return Err(arguments.refuse(&self.accept_marks, "needs --metrics-addr"));
        }
        Ok(*self.accept_marks && has_address)
    }
}

/// Everything that is written about events.
pub(super) struct WrittenEvents<'a> {
    events: Vec<(Place<'a>, EventLine)>,
    undos: Vec<(Place<'a>, UndoLine)>,
    expectations: Vec<(Place<'a>, Expectation)>,
}

impl<'a> WrittenEvents<'a> {
    fn read_file(
        &mut self,
        arguments: &Arguments<Options>,
        given: &'a Opt<PathBuf>,
    ) -> Result<(), Refusal> {
        let text = read(given).map_err(|why| {
            arguments.refuse(
                given,
                format!("must be a file with one event per line; {why}"),
            )
        })?;
        for (number, line) in text.lines().enumerate() {
            let place = Place {
                asked_by: arguments.name(given),
                is_of_a_variable: false,
                value: &given.text,
                line: Some(number + 1),
            };
            match Line::parse(line) {
                Ok(Line::Event(event)) => self.events.push((place, event)),
                Ok(Line::Undo(undo)) => self.undos.push((place, undo)),
                Ok(Line::Expectation(expected)) => self.expectations.push((place, expected)),
                Ok(Line::Blank) => {}
                Err(wrong) => return Err(place.refuse(&wrong)),
            }
        }
        Ok(())
    }

    /// The thresholds of the files. `check` says what is allowed instead of one.
    ///
    /// # Errors
    /// One of them is wrong.
    pub(super) fn thresholds(
        &self,
        check: impl Fn(&Threshold) -> Result<(), String>,
    ) -> Result<Vec<Threshold>, Refusal> {
        let read = self.expectations.iter().map(|(place, expected)| {
            let threshold = expected.threshold.parse::<Threshold>().map_err(|wrong| {
                place.refuse(&SyntaxError {
                    column: wrong.column + expected.before,
                    message: wrong.message,
                })
            })?;
            check(&threshold).map_err(|allowed| {
                let allowed = format!("'{}' {allowed}", threshold.text);
                Refusal::wrong(&place.asked_by, place.value, &place.at_line(&allowed))
            })?;
            Ok(threshold)
        });
        read.collect()
    }

    /// Takes the events of a run whose schedule ends at `end`, if it has an end.
    ///
    /// # Errors
    /// The events contradict each other.
    pub(super) fn plan(&mut self, end: Option<Nanos>) -> Result<Vec<PlannedEvent>, Refusal> {
        let (events, undos) = (mem::take(&mut self.events), mem::take(&mut self.undos));
        let paired = paired(events, undos, end);
        paired.map_err(|(place, wrong)| place.refuse(&wrong))
    }
}

/// A line of an option's text, and what it says.
#[derive(Debug, Clone)]
pub struct Lines<T>(Vec<(String, T)>);

/// Everything that these options say, with its place.
fn placed<'a, T: Clone>(
    arguments: &Arguments<Options>,
    given: &'a [Opt<Lines<T>>],
) -> Vec<(Place<'a>, T)> {
    let of_one = |option: &'a Opt<Lines<T>>| {
        let asked_by = arguments.name(option);
        option.0.iter().map(move |(text, read)| {
            let place = Place {
                asked_by: asked_by.clone(),
                is_of_a_variable: !arguments.is_flag(option),
                value: text,
                line: None,
            };
            (place, read.clone())
        })
    };
    given.iter().flat_map(of_one).collect()
}

fn event_lines(text: &str) -> Result<Lines<EventLine>, String> {
    lines(text, EventLine::parse)
}

fn undo_lines(text: &str) -> Result<Lines<UndoLine>, String> {
    lines(text, UndoLine::parse)
}

/// Reads each line that is not empty.
fn lines<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, SyntaxError>,
) -> Result<Lines<T>, String> {
    let is_one_line = !text.trim_end_matches(['\r', '\n']).contains('\n');
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let read = parse(line).map_err(|wrong| {
            if is_one_line {
                wrong.to_string()
            } else {
                format!("line {number}, {wrong}")
            }
        });
        lines.push((line.trim().to_owned(), read?));
    }
    if lines.is_empty() {
        // The grammar says what is missing.
        parse(text.trim()).map_err(|wrong| wrong.to_string())?;
    }
    Ok(Lines(lines))
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = if path == Path::new("-") {
        read_at_most(io::stdin(), MOST_TEXT)
    } else {
        File::open(path).and_then(|file| read_at_most(file, MOST_TEXT))
    };
    let text =
        String::from_utf8(bytes?).map_err(|_| io::Error::other("it is not text in UTF-8"))?;
    // Some editors begin a file with a byte order mark.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}
