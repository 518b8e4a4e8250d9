//! The events of a plan, with the undo of each.

use super::{EventLine, MOST_PLANNED, PlannedEvent, Undo, UndoLine};
use crate::base::Nanos;
use crate::base::text::SyntaxError;
use std::collections::HashMap;

/// The most characters of a list of names in an error.
const MOST_NAMES: usize = 500;

/// Something that was written, and where: a place is whatever its reader needs to name it in an error.
pub type Written<P, T> = (P, T);

/// Pairs events with their undos, and checks what concerns several of them. `end` is the end of the schedule, if it has one.
/// Returns the events in the order of their instants.
///
/// # Errors
/// Two events have one name, an event is at or after the end, there are more than [`MOST_PLANNED`], or an undo has no event
/// with a command, is not after it, or is its second one.
pub fn paired<P>(
    events: Vec<Written<P, EventLine>>,
    undos: Vec<Written<P, UndoLine>>,
    end: Option<Nanos>,
) -> Result<Vec<PlannedEvent>, (P, SyntaxError)> {
    let mut planned: Vec<PlannedEvent> = Vec::new();
    let mut places = HashMap::new();
    for (place, event) in events {
        let (time, name) = event.columns;
        let refuse = |column, message| SyntaxError { column, message };
        if let Some(end) = end.filter(|end| event.at >= *end) {
            let allowed = format!("must be before the end of the schedule, {end:#}");
            return Err((place, refuse(time, allowed)));
        }
        if places.insert(event.name.clone(), planned.len()).is_some() {
            let allowed = format!(
                "must be a name of its own, as in 'TIME NAME = COMMAND': '{}' is another event's",
                event.name
            );
            return Err((place, refuse(name, allowed)));
        }
        if planned.len() == MOST_PLANNED {
            let allowed = format!("must be one of at most {MOST_PLANNED} events");
            return Err((place, refuse(time, allowed)));
        }
        planned.push(PlannedEvent {
            name: event.name,
            at: event.at,
            command: event.command,
            undo: None,
        });
    }
    let names = names(&planned);
    for (place, UndoLine { head, command }) in undos {
        let (at, event) = match head.resolve(|name| places.get(name).copied(), &names) {
            Ok(found) => found,
            Err(wrong) => return Err((place, wrong)),
        };
        let event = &mut planned[event];
        let allowed = if event.command.is_none() {
            Some(format!(
                "must be an event with a command: '{}' is a mark",
                event.name
            ))
        } else if event.undo.is_some() {
            Some(format!(
                "must be an event without an undo: '{}' has one",
                event.name
            ))
        } else if at.is_some_and(|at| at <= event.at) {
            Some(format!(
                "must be after its event, which is at {:#}",
                event.at
            ))
        } else {
            None
        };
        if let Some(allowed) = allowed {
            return Err((place, head.error(allowed)));
        }
        event.undo = Some(Undo { at, command });
    }
    planned.sort_by_key(|event| event.at);
    Ok(planned)
}

/// The names of the events, as an error lists them.
fn names(events: &[PlannedEvent]) -> String {
    let mut names = String::new();
    for event in events {
        if names.len() + event.name.len() > MOST_NAMES {
            return names + ", …";
        }
        if !names.is_empty() {
            names += ", ";
        }
        names += &event.name;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(events: &[&str], undos: &[&str]) -> Result<Vec<PlannedEvent>, String> {
        let events = events
            .iter()
            .map(|text| (*text, EventLine::parse(text).expect(text)));
        let undos = undos
            .iter()
            .map(|text| (*text, UndoLine::parse(text).expect(text)));
        let end = Some(Nanos(60_000_000_000));
        let paired = paired(events.collect(), undos.collect(), end);
        paired.map_err(|(place, wrong)| format!("{place}: {wrong}"))
    }

    #[test]
    fn events_come_in_the_order_of_their_times_with_their_undos() {
        let events = ["40s b = true", "30s a = true", "30s c ="];
        let planned = pair(&events, &["50s b = false", "a = echo"]).unwrap();
        let names: Vec<_> = planned.iter().map(|event| &*event.name).collect();
        assert_eq!(names, ["a", "c", "b"]);
        let undos: Vec<_> = planned.iter().map(|event| event.undo.clone()).collect();
        assert_eq!(undos[0].as_ref().unwrap().at, None);
        assert_eq!(undos[1], None);
        let late = undos[2].as_ref().unwrap();
        assert_eq!(late.at, Some(Nanos(50_000_000_000)));
        assert_eq!(late.command.words, ["false"]);
    }

    #[test]
    fn contradictions_are_refused_with_the_names() {
        let two = ["1s a = true", "2s b ="];
        for (events, undos, refused) in [
            (
                &["1s a = true", "2s a = false"][..],
                &[][..],
                "2s a = false: column 4: must be a name of its own",
            ),
            (
                &["1s true", "2s true"],
                &[],
                "2s true: column 4: must be a name of its own",
            ),
            (
                &["60s a = true"],
                &[],
                "60s a = true: column 1: must be before the end of the schedule, 1m",
            ),
            (
                &two,
                &["c = true"],
                "c = true: column 1: must be the name of an event: a, b",
            ),
            (
                &two,
                &["b = true"],
                "b = true: column 1: must be an event with a command: 'b' is a mark",
            ),
            (
                &two,
                &["a = true", "a = false"],
                "a = false: column 1: must be an event without an undo: 'a' has one",
            ),
            (
                &two,
                &["1s a = true"],
                "1s a = true: column 1: must be after its event, which is at 1s",
            ),
            (
                &[],
                &["a = true"],
                "a = true: column 1: there is no event to undo",
            ),
        ] {
            let wrong = pair(events, undos).expect_err(refused);
            assert!(wrong.starts_with(refused), "{wrong}");
        }
        let many: Vec<_> = (0..=MOST_PLANNED)
            .map(|number| format!("1s {number}x ="))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(pair(&many[..MOST_PLANNED], &[]).is_ok());
        assert!(
            pair(&many, &[])
                .expect_err("too many")
                .contains("at most 50 events")
        );
    }
}
