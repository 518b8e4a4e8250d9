use super::{EventKind, EventRecord, PlannedEvent};
use std::sync::Arc;

/// The events of a run that goes on. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct EventsSoFar {
    /// The names and kinds of all that the plan has.
    pub planned: Arc<[(String, EventKind)]>,
    /// Those that have begun, in that order.
    pub begun: Arc<[EventRecord]>,
}

impl EventsSoFar {
    pub fn of(planned: &[PlannedEvent]) -> EventsSoFar {
        let kinds = planned.iter().flat_map(|event| {
            let kind = match &event.command {
                Some(_) => EventKind::Command,
                None => EventKind::Mark,
            };
            let undo = event.undo.as_ref().map(|_| EventKind::Undo);
            let kinds = [Some(kind), undo].into_iter().flatten();
            kinds.map(|kind| (event.name.clone(), kind))
        });
        EventsSoFar {
            planned: kinds.collect(),
            begun: Arc::default(),
        }
    }
}
