//! Windows that an admission opens: the first request after a window's end opens the next, and each admits L.

use super::Model;
use crate::base::Nanos;
use crate::core::audit::Quota;
use crate::core::discovery::record::Seen;

/// The most states that are followed at once. Two differ only if an admission may be a window's last or the next one's
/// first.
const MOST_STATES: usize = 64;

#[derive(Debug)]
pub(super) struct OpenedWindows {
    quota: Quota,
    grain: Nanos,
    states: Vec<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// The opening: no earlier than its first value, no later than its second. `None` before the first.
    opened: Option<(Nanos, Nanos)>,
    count: u64,
}

const UNUSED: State = State {
    opened: None,
    count: 0,
};

impl OpenedWindows {
    pub fn new(quota: Quota, grain: Nanos) -> OpenedWindows {
        OpenedWindows {
            quota,
            grain,
            states: vec![UNUSED],
        }
    }

    fn may_be_within(&self, state: &State, request: &Seen) -> bool {
        let end = |(_, done)| done + self.quota.window + self.grain;
        state
            .opened
            .is_some_and(|opened| request.sent < end(opened))
    }

    fn may_be_over(&self, state: &State, request: &Seen) -> bool {
        let end = |(sent, _): (Nanos, Nanos)| sent + self.quota.window;
        state
            .opened
            .is_none_or(|opened| request.done + self.grain >= end(opened))
    }

    /// The states that an admission may leave behind.
    fn after(&self, state: &State, request: &Seen) -> impl Iterator<Item = State> {
        let within = self.may_be_within(state, request) && state.count < self.quota.limit;
        let within = within.then_some(State {
            // An admission that overlaps the one that opened the window may have opened it itself.
            opened: state
                .opened
                .map(|(sent, done)| (sent, done.min(request.done))),
            count: state.count + 1,
        });
        let next = self.may_be_over(state, request).then_some(State {
            opened: Some((request.sent, request.done)),
            count: 1,
        });
        within.into_iter().chain(next)
    }
}

impl Model for OpenedWindows {
    fn may_admit(&self, request: &Seen) -> bool {
        let mut states = self.states.iter();
        states.any(|state| self.after(state, request).next().is_some())
    }

    fn may_block(&self, request: &Seen) -> bool {
        let mut states = self.states.iter();
        states.any(|state| state.count >= self.quota.limit && self.may_be_within(state, request))
    }

    fn count(&mut self, request: &Seen) {
        let mut after: Vec<State> = Vec::with_capacity(self.states.len() + 1);
        for state in self
            .states
            .iter()
            .flat_map(|state| self.after(state, request))
        {
            if after.len() < MOST_STATES && !after.contains(&state) {
                after.push(state);
            }
        }
        // A blocked request that counts changes nothing in a full window.
        if request.admitted {
            self.states = after;
        }
    }

    fn block(&mut self, request: &Seen) {
        let full =
            |state: &State| state.count >= self.quota.limit && self.may_be_within(state, request);
        self.states = self
            .states
            .iter()
            .filter(|state| full(state))
            .copied()
            .collect();
    }

    fn next_counter(&mut self) {
        self.states = vec![UNUSED];
    }
}
