//! The events of a run, in the order in which they began.

use crate::base::{Moment, Nanos};
use crate::core::events::{CommandEnd, CommandRecord, EventKind, EventRecord, MOST_POSTED};
use parking_lot::Mutex;
use std::sync::Arc;

/// The events that have begun. Several threads begin events: the one that runs the plan's commands, and those that receive
/// marks. The reporter reads them.
///
/// The instant at which an event begins is taken under the lock. So whoever has taken a sample, and reads the log afterwards,
/// finds every event that began before that sample was done.
#[derive(Debug, Clone, Default)]
pub struct EventLog(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    /// The schedule's zero. `None` before the run.
    start: Option<Moment>,
    is_over: bool,
    records: Vec<EventRecord>,
    /// Copies of the records that are new or changed since these were last taken.
    news: Vec<EventRecord>,
}

/// A mark that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMarked {
    #[error("the run has not begun")]
    TooEarly,
    #[error("the run is over")]
    TooLate,
    #[error("this run has {MOST_POSTED} posted marks, which is the most")]
    TooMany,
}

impl EventLog {
    /// Takes events from now on, of a run whose schedule starts at `start`.
    pub(super) fn open(&self, start: Moment) {
        let mut log = self.0.lock();
        *log = Log {
            start: Some(start),
            ..Log::default()
        };
    }

    /// Takes no marks any more. Commands may still end, and undos begin.
    pub(super) fn close(&self) {
        self.0.lock().is_over = true;
    }

    /// Marks this moment. Returns it, since the schedule's start.
    ///
    /// # Errors
    /// The run has not begun or is over, or it has too many marks.
    pub fn mark(&self, name: &str) -> Result<Nanos, NotMarked> {
        let mut log = self.0.lock();
        if log.start.is_none() {
            return Err(NotMarked::TooEarly);
        }
        if log.is_over {
            return Err(NotMarked::TooLate);
        }
        let is_posted = |record: &&EventRecord| record.kind == EventKind::Posted;
        if log.records.iter().filter(is_posted).count() >= MOST_POSTED {
            return Err(NotMarked::TooMany);
        }
        Ok(log.begin(EventKind::Posted, name, None, None))
    }

    /// Begins an event of the plan. Returns its place in the log.
    pub(super) fn begin(
        &self,
        kind: EventKind,
        name: &str,
        due: Option<Nanos>,
        command: Option<&str>,
    ) -> usize {
        let mut log = self.0.lock();
        log.begin(kind, name, due, command);
        log.records.len() - 1
    }

    /// Notes how the command of the event at this place ended, and the end of its output with the number of bytes before
    /// that.
    pub(super) fn end(&self, place: usize, end: CommandEnd, (output, cut): (String, u64)) {
        let mut log = self.0.lock();
        let ended = log.now();
        if let Some(command) = &mut log.records[place].command {
            command.ended = Some(ended);
            command.end = end;
            command.output = output;
            command.output_cut = cut;
        }
        let record = log.records[place].clone();
        log.news.push(record);
    }

    /// Each event as it was when it began, and each command's as it was when that ended, since this was last called.
    pub(super) fn take_news(&self) -> Vec<EventRecord> {
        std::mem::take(&mut self.0.lock().news)
    }

    /// The instants at which events began, but for the first ones that are known already.
    pub(super) fn began_after(&self, known: usize) -> Vec<Nanos> {
        let log = self.0.lock();
        let new = log.records.get(known..).unwrap_or_default();
        new.iter().map(|record| record.began).collect()
    }

    /// All events so far.
    pub fn records(&self) -> Vec<EventRecord> {
        self.0.lock().records.clone()
    }
}

impl Log {
    fn now(&self) -> Nanos {
        let start = self.start.unwrap_or(Moment::MAX);
        Moment::now().since(start)
    }

    fn begin(
        &mut self,
        kind: EventKind,
        name: &str,
        due: Option<Nanos>,
        command: Option<&str>,
    ) -> Nanos {
        let began = self.now();
        self.records.push(EventRecord {
            name: name.to_owned(),
            kind,
            due,
            began,
            command: command.map(|text| CommandRecord {
                text: text.to_owned(),
                ended: None,
                end: CommandEnd::Running,
                output: String::new(),
                output_cut: 0,
            }),
        });
        self.news.extend(self.records.last().cloned());
        began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_only_while_the_run_goes_on() {
        let log = EventLog::default();
        assert_eq!(log.mark("early"), Err(NotMarked::TooEarly));
        log.open(Moment::now());
        let first = log.mark("one").unwrap();
        assert!(log.mark("two").unwrap() >= first);
        log.close();
        assert_eq!(log.mark("late"), Err(NotMarked::TooLate));
        let names = log.records().into_iter().map(|record| record.name);
        assert_eq!(names.collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(log.began_after(1).len(), 1);
    }

    #[test]
    fn the_number_of_posted_marks_is_bounded_and_the_plan_has_room_beside_them() {
        let log = EventLog::default();
        log.open(Moment::now());
        for _ in 0..MOST_POSTED {
            log.mark("again").unwrap();
        }
        assert_eq!(log.mark("one more"), Err(NotMarked::TooMany));
        let place = log.begin(EventKind::Command, "stop", Some(Nanos(1)), Some("true"));
        log.end(place, CommandEnd::Exited(0), ("done".to_owned(), 0));
        let command = log.records()[place].command.clone().unwrap();
        assert!(command.ended.is_some() && command.end.is_fine());
        assert_eq!(log.take_news().len(), MOST_POSTED + 2);
        assert!(log.take_news().is_empty());
    }
}
