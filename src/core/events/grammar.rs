//! How events are written.
//!
//! ```text
//! event = TIME [ NAME "=" ] COMMAND | TIME NAME "="
//! undo  = [ TIME ] NAME "=" COMMAND
//! line  = event | "undo" undo | "expect" threshold | "#" anything | nothing
//! ```
//!
//! Words are those of a shell, with its quotes, but nothing is expanded. The first `=` that is a word by itself, without
//! quotes, ends the name. An event without a command is a mark; one without a name has its command's text as its name.

use super::{EventCommand, LONGEST_NAME};
use crate::base::Nanos;
use crate::base::text::{
    MAX_DURATION, SyntaxError, Word, error_at, printable, shortened, time, words,
};
use std::time::Duration;

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLine {
    /// Since the schedule's start.
    pub at: Nanos,
    pub name: String,
    /// `None` for a mark.
    pub command: Option<EventCommand>,
    /// Where the time and the name begin, in characters from 1.
    pub(super) columns: (usize, usize),
}

/// The undo of an event as it was written. What its text before the `=` means depends on the names of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoLine {
    pub(super) head: Head,
    pub(super) command: EventCommand,
}

/// The text of an undo before the `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The whole line.
    text: String,
    /// At least one.
    words: Vec<Word>,
}

/// A threshold in a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    pub threshold: String,
    /// The number of characters before it in its line.
    pub before: usize,
}

/// A line of a file of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Event(EventLine),
    Undo(UndoLine),
    /// A threshold that the run has to meet, as it was written.
    Expectation(Expectation),
    /// A comment, or nothing.
    Blank,
}

const EVENT: &str = "must be TIME COMMAND, TIME NAME = COMMAND, or TIME NAME = for a mark";
const UNDO: &str = "must be NAME = COMMAND, or TIME NAME = COMMAND, where NAME is that of an event";

impl EventLine {
    /// Reads an event in one line.
    ///
    /// # Errors
    /// The text is not of this form, and its error says what is allowed.
    pub fn parse(text: &str) -> Result<EventLine, SyntaxError> {
        let words = words(text)?;
        let Some((first, rest)) = words.split_first() else {
            return Err(error_at(text, 0, EVENT));
        };
        let at = instant(text, first)?;
        if let Some(second) = rest
            .first()
            .filter(|second| continues_a_time(first, second))
        {
            let allowed =
                "a time must be one word, such as 1m30s; quote a name that begins with a time";
            return Err(error_at(text, second.place.start, allowed));
        }
        let columns = |name: usize| (column(text, first.place.start), column(text, name));
        let Some((named, behind)) = split_at_equals(rest) else {
            let command = command(text, rest)?;
            let command = command.ok_or_else(|| error_at(text, text.len(), EVENT))?;
            return Ok(EventLine {
                at,
                name: shortened(&printable(&command.text), LONGEST_NAME).into_owned(),
                command: Some(command),
                columns: columns(rest[0].place.start),
            });
        };
        let begin = named
            .first()
            .map_or(first.place.end, |word| word.place.start);
        let name = joined(named);
        checked_name(&name).map_err(|allowed| error_at(text, begin, allowed))?;
        Ok(EventLine {
            at,
            name,
            command: command(text, behind)?,
            columns: columns(begin),
        })
    }
}

impl UndoLine {
    /// Reads an undo in one line.
    ///
    /// # Errors
    /// The text is not of this form, and its error says what is allowed.
    pub fn parse(text: &str) -> Result<UndoLine, SyntaxError> {
        UndoLine::read(text, words(text)?)
    }

    /// The command that undoes the event.
    pub fn command(&self) -> &EventCommand {
        &self.command
    }

    fn read(text: &str, words: Vec<Word>) -> Result<UndoLine, SyntaxError> {
        let begin = words.first().map_or(text.len(), |word| word.place.start);
        let Some((head, behind)) = split_at_equals(&words).filter(|(head, _)| !head.is_empty())
        else {
            return Err(error_at(text, begin, UNDO));
        };
        let command = command(text, behind)?;
        Ok(UndoLine {
            command: command.ok_or_else(|| error_at(text, text.len(), UNDO))?,
            head: Head {
                text: text.to_owned(),
                words: head.to_vec(),
            },
        })
    }
}

impl Line {
    /// Reads a line of a file.
    ///
    /// # Errors
    /// The line is not of this form, and its error says what is allowed.
    pub fn parse(text: &str) -> Result<Line, SyntaxError> {
        let begin = text.trim_start();
        if begin.is_empty() || begin.starts_with('#') {
            return Ok(Line::Blank);
        }
        let indent = text.len() - begin.len();
        if let Some(behind) = begin.strip_prefix("expect")
            && behind.starts_with([' ', '\t'])
        {
            let blanks = behind.len() - behind.trim_start().len();
            let before = indent + "expect".len() + blanks;
            return Ok(Line::Expectation(Expectation {
                threshold: text[before..].trim_end().to_owned(),
                before: text[..before].chars().count(),
            }));
        }
        let mut words = words(text)?;
        if words.first().is_some_and(|word| word.text == "undo") {
            words.remove(0);
            return UndoLine::read(text, words).map(Line::Undo);
        }
        EventLine::parse(text).map(Line::Event)
    }
}

impl Head {
    /// Finds the event that this undoes, by `find`, and the time at which it does.
    ///
    /// # Errors
    /// There is no such event, or the time is wrong. `names` is the list of all events.
    pub fn resolve<T>(
        &self,
        find: impl Fn(&str) -> Option<T>,
        names: &str,
    ) -> Result<(Option<Nanos>, T), SyntaxError> {
        let find = |words: &[Word]| {
            let (first, last) = (words.first()?, words.last()?);
            let raw = &self.text[first.place.start..last.place.end];
            find(raw).or_else(|| find(&joined(words)))
        };
        if let Some(event) = find(&self.words) {
            return Ok((None, event));
        }
        let unknown = |place: usize| {
            let allowed = match names {
                "" => "there is no event to undo; --at or --events gives one".to_owned(),
                names => format!("must be the name of an event: {names}"),
            };
            error_at(&self.text, place, allowed)
        };
        let first = &self.words[0];
        let begins_with_a_digit = first
            .text
            .starts_with(|c: char| c.is_ascii_digit() || c == '.');
        if self.words.len() == 1 || !begins_with_a_digit {
            return Err(unknown(first.place.start));
        }
        let at = instant(&self.text, first)?;
        match find(&self.words[1..]) {
            Some(event) => Ok((Some(at), event)),
            None => Err(unknown(self.words[1].place.start)),
        }
    }

    /// An error at the beginning of this text.
    pub fn error(&self, message: impl Into<String>) -> SyntaxError {
        error_at(&self.text, self.words[0].place.start, message)
    }
}

/// Checks a name that somebody gave.
///
/// # Errors
/// What a name must be, as the end of a sentence.
pub fn checked_name(name: &str) -> Result<(), String> {
    let is_short = name.chars().take(LONGEST_NAME + 1).count() <= LONGEST_NAME;
    if name.trim().is_empty() || !is_short || name.contains(char::is_control) {
        return Err(format!(
            "a name must be 1 to {LONGEST_NAME} characters in one line, without control characters"
        ));
    }
    Ok(())
}

/// The words before and behind the first `=` that is a word by itself.
fn split_at_equals(words: &[Word]) -> Option<(&[Word], &[Word])> {
    let is_equals = |word: &Word| word.text == "=" && !word.is_quoted;
    let place = words.iter().position(is_equals)?;
    Some((&words[..place], &words[place + 1..]))
}

fn joined(words: &[Word]) -> String {
    let texts: Vec<_> = words.iter().map(|word| &*word.text).collect();
    texts.join(" ")
}

fn instant(text: &str, word: &Word) -> Result<Nanos, SyntaxError> {
    let read = time(
        &word.text,
        Duration::ZERO..=MAX_DURATION,
        "from 0s to 3650d",
    );
    let read = read.map_err(|allowed| {
        let allowed = format!("an event begins with its time, which {allowed}");
        error_at(text, word.place.start, allowed)
    });
    read.map(Nanos::from)
}

/// Whether the second word may be meant as a part of the time, as in `1m 30s`.
fn continues_a_time(first: &Word, second: &Word) -> bool {
    let has_unit = |word: &Word| {
        let is_time = time(&word.text, Duration::ZERO..=MAX_DURATION, "").is_ok();
        is_time && word.text.ends_with(char::is_alphabetic) && !word.is_quoted
    };
    has_unit(first) && has_unit(second)
}

/// The command of these words. `None` if there is none.
fn command(text: &str, words: &[Word]) -> Result<Option<EventCommand>, SyntaxError> {
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return Ok(None);
    };
    if first.text.is_empty() {
        let allowed = "must be the name of a program";
        return Err(error_at(text, first.place.start, allowed));
    }
    if is_assignment(first) {
        let allowed = "must be a program: write blanks around the = behind a name, and set a variable with \
                       env NAME=VALUE PROGRAM";
        return Err(error_at(text, first.place.start, allowed));
    }
    if let Some(nul) = words.iter().find(|word| word.text.contains('\0')) {
        let allowed = "must be words without the character NUL, which no program can get";
        return Err(error_at(text, nul.place.start, allowed));
    }
    if let Some(place) = words.iter().find_map(|word| word.special) {
        let allowed = "no shell reads this; quote the character if the program is to get it, or let a shell read \
                       the command: sh -c '…'";
        return Err(error_at(text, place, allowed));
    }
    Ok(Some(EventCommand {
        text: text[first.place.start..last.place.end].to_owned(),
        words: words.iter().map(|word| word.text.clone()).collect(),
    }))
}

/// Whether a shell would read this word as the setting of a variable.
fn is_assignment(word: &Word) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let name = word.text.split_once('=').map(|(name, _)| name);
    !word.is_quoted && name.is_some_and(is_name)
}

fn column(text: &str, place: usize) -> usize {
    error_at(text, place, "").column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(text: &str) -> (u64, String, Option<Vec<String>>) {
        let event = EventLine::parse(text).expect(text);
        let words = event.command.map(|command| command.words);
        (event.at.0 / 1_000_000, event.name, words)
    }

    #[test]
    fn an_event_has_a_time_a_name_and_a_command() {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        for (text, millis, name, command) in [
            ("30s true", 30_000, "true", words(&["true"])),
            (
                " 1m30s redis  goes = docker pause 'a b' ",
                90_000,
                "redis goes",
                words(&["docker", "pause", "a b"]),
            ),
            ("0 x = test 1 = 1", 0, "x", words(&["test", "1", "=", "1"])),
            (
                "90 test 1 '=' 1",
                90_000,
                "test 1 '=' 1",
                words(&["test", "1", "=", "1"]),
            ),
            ("0.5 a \"=\" b = c", 500, "a = b", words(&["c"])),
            ("30s (half) time =", 30_000, "(half) time", None),
            ("30s '10s on' = true", 30_000, "10s on", words(&["true"])),
            ("30s 5 more = true", 30_000, "5 more", words(&["true"])),
        ] {
            assert_eq!(event(text), (millis, name.to_owned(), command), "{text}");
        }
        let long = format!("1s echo {}", "ü".repeat(200));
        assert_eq!(event(&long).1.chars().count(), LONGEST_NAME);
    }

    #[test]
    fn a_wrong_event_is_refused_at_its_column() {
        for (text, column, message) in [
            ("", 1, "must be TIME COMMAND"),
            ("30s", 4, "must be TIME COMMAND"),
            (
                "redis goes = true",
                1,
                "begins with its time, which must be seconds",
            ),
            ("1m 30s true", 4, "a time must be one word"),
            ("30s = true", 4, "a name must be 1 to 100 characters"),
            ("30s '' = true", 5, "a name must be 1 to 100 characters"),
            ("30s 'a\tb' = true", 5, "without control characters"),
            ("30s ü 'x = true", 7, "the quote ' is not closed"),
            ("30s a = b | c", 11, "no shell reads this"),
            ("30s ls > /tmp/x", 8, "sh -c"),
            ("30s a;b", 6, "no shell reads this"),
            ("30s echo \"$HOME\"", 11, "no shell reads this"),
            ("30s A=1 true", 5, "env NAME=VALUE PROGRAM"),
            ("30s x = ''", 9, "the name of a program"),
        ] {
            let refused = EventLine::parse(text).expect_err(text);
            assert_eq!(refused.column, column, "{text}: {refused}");
            assert!(refused.message.contains(message), "{text}: {refused}");
        }
    }

    #[test]
    fn an_undo_names_its_event_with_or_without_a_time() {
        let names = ["redis goes", "40s", "docker exec 'a b'"];
        let find = |name: &str| names.iter().position(|other| *other == name);
        let resolve = |text: &str| {
            let undo = UndoLine::parse(text).expect(text);
            let found = undo.head.resolve(find, "redis goes");
            found.map(|(at, event)| (at.map(|at| at.0 / 1_000_000_000), event))
        };
        for (text, found) in [
            ("redis goes = true", (None, 0)),
            ("40s redis  goes = true", (Some(40), 0)),
            ("'redis goes' = true", (None, 0)),
            ("40s = true", (None, 1)),
            ("50s 40s = true", (Some(50), 1)),
            ("docker exec 'a b' = true", (None, 2)),
        ] {
            assert_eq!(resolve(text), Ok(found), "{text}");
        }
        for (text, column, message) in [
            (
                "redis = true",
                1,
                "must be the name of an event: redis goes",
            ),
            (
                "50s redis = true",
                5,
                "must be the name of an event: redis goes",
            ),
            ("5x redis goes = true", 1, "'x' is not ns"),
        ] {
            let refused = resolve(text).expect_err(text);
            assert_eq!(refused.column, column, "{text}: {refused}");
            assert!(refused.message.contains(message), "{text}: {refused}");
        }
        for text in ["", "redis goes", "= true", "redis goes ="] {
            let refused = UndoLine::parse(text).expect_err(text);
            assert!(
                refused.message.starts_with("must be NAME = COMMAND"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_file_has_events_undos_and_comments() {
        let kind = |text: &str| match Line::parse(text).expect(text) {
            Line::Event(_) => "event",
            Line::Undo(_) => "undo",
            Line::Expectation(_) => "expectation",
            Line::Blank => "blank",
        };
        for (text, expected) in [
            ("", "blank"),
            (" \t", "blank"),
            (" # 'x", "blank"),
            ("5s true", "event"),
            ("undo x = true", "undo"),
            (" undo 5s x = true", "undo"),
            ("expect audit = kept", "expectation"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        assert_eq!(Line::parse("undo 5s x").expect_err("no command").column, 6);
        let expected = Expectation {
            threshold: "event[it's gone].recovery < 2s".to_owned(),
            before: 9,
        };
        let line = " expect\t event[it's gone].recovery < 2s ";
        assert_eq!(Line::parse(line), Ok(Line::Expectation(expected)));
    }

    proptest! {
        #[test]
        fn any_text_is_an_event_or_refused(text in "[0-9sm =a'\"\\\\|$;ü\\t\\n]{0,16}") {
            for refused in [
                EventLine::parse(&text).err(),
                UndoLine::parse(&text).err(),
                Line::parse(&text).err(),
            ].into_iter().flatten() {
                prop_assert!(refused.column <= text.chars().count() + 1);
                prop_assert!(!refused.message.is_empty());
            }
        }

        #[test]
        fn a_quoted_command_is_the_command(all in prop::collection::vec("[^\0\r\n]{0,8}", 1..5)) {
            prop_assume!(!all[0].is_empty());
            let quoted = shlex::try_join(all.iter().map(String::as_str)).unwrap();
            let read = EventLine::parse(&format!("5s a name = {quoted}"));
            match read {
                Ok(event) => {
                    prop_assert_eq!(event.name, "a name");
                    prop_assert_eq!(event.command.unwrap().words, all);
                }
                // A word that is a setting of a variable needs no quotes.
                Err(refused) => prop_assert!(refused.message.contains("env NAME=VALUE"), "{}", refused),
            }
        }
    }
}
