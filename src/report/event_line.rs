//! What a run says about its events while it goes on.

use crate::base::text::{printable, shortened, span};
use crate::core::events::{CommandEnd, CommandRecord, EventKind, EventRecord};

/// The most characters of a command, and of the last line of its output.
const SHOWN: usize = 200;

/// The line for an event that has begun, or whose command has ended.
pub fn event_line(event: &EventRecord) -> String {
    let subject = subject(event);
    let at = format!("{:.1}s", event.began.as_secs_f64());
    match &event.command {
        None => format!("{subject} at {at}"),
        Some(command) if command.end == CommandEnd::Running => {
            let text = printable(&command.text);
            if text == event.name {
                format!("{subject} at {at}")
            } else {
                format!("{subject} at {at}: {}", shortened(&text, SHOWN))
            }
        }
        Some(command) => format!("{subject} {}", end(event, command)),
    }
}

/// The sentence about an event that failed, at the end of a run.
pub fn event_failure(event: &EventRecord) -> Option<String> {
    let command = event.command.as_ref().filter(|_| event.has_failed())?;
    let subject = match event.kind {
        EventKind::Undo => format!("the undo of event {}", event.name),
        _ => format!("event {}", event.name),
    };
    Some(format!("{subject} {}", end(event, command)))
}

fn subject(event: &EventRecord) -> String {
    let word = match event.kind {
        EventKind::Undo => "UNDO",
        EventKind::Command | EventKind::Mark | EventKind::Posted => "EVENT",
    };
    format!("{word} {}", event.name)
}

/// How the command ended, as the end of a sentence.
fn end(event: &EventRecord, command: &CommandRecord) -> String {
    let took = command
        .ended
        .unwrap_or_default()
        .saturating_sub(event.began);
    let after = format!("after {}", span(took));
    let why = match &command.end {
        CommandEnd::Running => return "has not ended".to_owned(),
        CommandEnd::Exited(0) => return format!("ended {after}"),
        CommandEnd::Stopped if event.kind != EventKind::Undo => {
            return format!("was ended with the run, {after}");
        }
        CommandEnd::Stopped => format!("was ended {after}, when its time had passed"),
        CommandEnd::NotStarted(why) => format!("could not be started: {}", printable(why)),
        CommandEnd::Exited(code) => format!("exit code {code} {after}"),
        CommandEnd::Signalled(signal) => format!("ended by signal {signal} {after}"),
    };
    let last = last_line(&command.output);
    let last = last.map_or(String::new(), |line| format!(": {line}"));
    format!("failed: {why}{last}")
}

/// The last line of the output that is not blank.
fn last_line(output: &str) -> Option<String> {
    let line = output
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(shortened(&printable(line), SHOWN).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;

    fn event(kind: EventKind, end: CommandEnd, output: &str) -> EventRecord {
        EventRecord {
            name: "redis goes".to_owned(),
            kind,
            due: None,
            began: Nanos(30_012_000_000),
            command: Some(CommandRecord {
                text: "docker pause redis".to_owned(),
                ended: Some(Nanos(30_432_000_000)),
                end,
                output: output.to_owned(),
                output_cut: 0,
            }),
        }
    }

    #[test]
    fn a_line_says_when_an_event_began_and_how_it_ended() {
        use EventKind::{Command, Undo};
        for (kind, end, output, line) in [
            (
                Command,
                CommandEnd::Running,
                "",
                "EVENT redis goes at 30.0s: docker pause redis",
            ),
            (
                Command,
                CommandEnd::Exited(0),
                "x",
                "EVENT redis goes ended after 420 ms",
            ),
            (
                Command,
                CommandEnd::Exited(1),
                "one\nno such\u{1b} service \n\n",
                "EVENT redis goes failed: exit code 1 after 420 ms: no such\\u{1b} service",
            ),
            (
                Command,
                CommandEnd::Stopped,
                "x",
                "EVENT redis goes was ended with the run, after 420 ms",
            ),
            (
                Undo,
                CommandEnd::Running,
                "",
                "UNDO redis goes at 30.0s: docker pause redis",
            ),
            (
                Undo,
                CommandEnd::Stopped,
                "x",
                "UNDO redis goes failed: was ended after 420 ms, when its time had passed: x",
            ),
            (
                Undo,
                CommandEnd::Signalled(9),
                "",
                "UNDO redis goes failed: ended by signal 9 after 420 ms",
            ),
        ] {
            assert_eq!(event_line(&event(kind, end, output)), line);
        }
        let mark = EventRecord {
            command: None,
            ..event(EventKind::Posted, CommandEnd::Running, "")
        };
        assert_eq!(event_line(&mark), "EVENT redis goes at 30.0s");
    }

    #[test]
    fn a_command_that_runs_until_the_end_has_not_failed_but_such_an_undo_has() {
        let failure = |kind, end| event_failure(&event(kind, end, ""));
        assert_eq!(failure(EventKind::Command, CommandEnd::Stopped), None);
        assert_eq!(failure(EventKind::Command, CommandEnd::Exited(0)), None);
        let undo = failure(EventKind::Undo, CommandEnd::Stopped).unwrap();
        assert!(
            undo.starts_with("the undo of event redis goes failed: "),
            "{undo}"
        );
        let missing = CommandEnd::NotStarted("no such file".to_owned());
        assert_eq!(
            failure(EventKind::Command, missing).unwrap(),
            "event redis goes failed: could not be started: no such file"
        );
    }
}
