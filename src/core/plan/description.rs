//! A plan in words, as headings and reports show it.

use super::Plan;
use crate::base::text::{count, printable, span, whole_seconds};
use crate::base::{Mode, Nanos};
use crate::core::events::Undo;
use crate::core::keys::Distribution;
use crate::core::replay::{RecordedKeys, RecordedRequests};
use crate::core::request::Placeholder;
use crate::core::schedule::{Arrivals, Phase};
use ureq::http::Method;

/// The most events that a heading lists by name.
const MOST_LISTED: usize = 6;

impl Plan {
    /// The rate over time, the arrivals, and how long the run takes.
    pub fn describe_traffic(&self) -> String {
        let profile = self.schedule.profile();
        let replayed = self.describe_replay();
        let arrivals = match self.schedule.arrivals() {
            Arrivals::Uniform => "",
            Arrivals::Poisson(_) => ", poisson arrivals",
        };
        let length = match (self.schedule.end(), self.schedule.total_of_all()) {
            (Some(end), Some(total)) => match self.schedule.count() {
                None => format!("for {end}: {}", count(total, "request", "requests")),
                Some(tokens) => {
                    let requests = count(tokens, "request", "requests");
                    match end {
                        Nanos::ZERO => format!("ends after {requests}, at its start"),
                        end => format!("ends after {requests}, in {}", span(end)),
                    }
                }
            },
            _ => "until stopped".to_owned(),
        };
        let bursts = match self.schedule.end() {
            Some(Nanos::ZERO) if self.ends_before_bursts() => "; no burst".to_owned(),
            Some(end) if self.ends_before_bursts() => {
                format!("; no burst within {}", whole_seconds(end))
            }
            _ => String::new(),
        };
        format!("{profile}{arrivals}, {length}{bursts}{replayed}")
    }

    /// The part of the schedule that this process sends. `None` if it has the whole schedule.
    pub fn describe_stripe(&self) -> Option<String> {
        let stripe = self.schedule.stripe();
        if stripe.is_whole() {
            return None;
        }
        let own = match self.schedule.total() {
            Some(own) => format!(": {}", count(own, "request", "requests")),
            None => String::new(),
        };
        let (first, of) = (stripe.index(), stripe.of());
        Some(format!(
            "{stripe}: one request in {of} of this schedule, from request {first} on{own}"
        ))
    }

    /// What became of the lines of a recording, behind other words with a semicolon; empty if there is nothing to say.
    pub fn describe_replay(&self) -> String {
        let Some(replay) = self.schedule.recording() else {
            return String::new();
        };
        let mut text = String::new();
        if replay.requests.is_spread {
            text +=
                "; the log has whole seconds, and the requests of each are spread evenly within it";
        }
        if let [_, _, ..] = &*replay.requests.time_columns {
            text += &format!(
                "; times from the columns {}",
                names(&replay.requests.time_columns)
            );
        }
        if replay.requests.unreadable > 0 {
            let lines = count(
                replay.requests.unreadable,
                "unreadable line",
                "unreadable lines",
            );
            text += &format!("; without {lines}");
        }
        text
    }

    /// Whether the profile has bursts, and none of them begins before the end.
    fn ends_before_bursts(&self) -> bool {
        let is_burst = |phase: Phase| phase.mode() == Mode::Burst;
        let (schedule, most) = (&self.schedule, 1_000);
        schedule.profile().phases().take(most).any(is_burst)
            && !schedule.phases().take(most).any(is_burst)
    }

    /// The method and path of the requests, with the limit, the window and the cost if the requests carry them.
    pub fn describe_requests(&self) -> String {
        let request = &self.request;
        let (method, paths) = (&request.method, request.describe_paths());
        let mut text = match self.schedule.recording() {
            Some(replay) => describe_recorded(&replay.requests, method, &paths),
            None => format!("{method} {paths}"),
        };
        if request.has(Placeholder::Limit) {
            text += &format!(", limit {} in {}", self.limit, self.window);
        }
        if request.has(Placeholder::Cost) || self.cost > 1 {
            text += &format!(", cost {}", self.cost);
        }
        text
    }

    /// How many events there are, and when. `None` if there is none.
    pub fn describe_events(&self) -> Option<String> {
        let first = self.events.first()?;
        let number = count(self.events.len() as u64, "event", "events");
        if self.events.len() > MOST_LISTED {
            let last = self.events.last().unwrap_or(first);
            let undos = self.events.iter().filter(|event| event.undo.is_some());
            let undos = match undos.count() {
                0 => String::new(),
                undos => format!(", {undos} of them with an undo"),
            };
            return Some(format!(
                "{number}, from {:#} to {:#}{undos}",
                first.at, last.at
            ));
        }
        let all = self.events.iter().map(|event| {
            let undone = match &event.undo {
                None => String::new(),
                Some(Undo { at: None, .. }) => ", undone at the end".to_owned(),
                Some(Undo { at: Some(at), .. }) => format!(", undone at {at:#}"),
            };
            format!("{} at {:#}{undone}", event.name, event.at)
        });
        Some(format!("{number}: {}", all.collect::<Vec<_>>().join("; ")))
    }

    /// The workers, and how slow the answers of a target may become before its requests wait for a worker. `None` if the
    /// workers are enough for a run against this many targets even if one of them does not answer.
    pub fn describe_workers(&self, targets: usize) -> Option<String> {
        let most = self.worker_shares(targets).most();
        let are_enough =
            |time: Nanos| self.schedule.most_within(time) / targets as f64 <= most as f64;
        let timeout = Nanos::from(self.timeout);
        if are_enough(timeout) {
            return None;
        }
        let (mut enough, mut too_long) = (0, timeout.0);
        while too_long - enough > 1 {
            let middle = enough.midpoint(too_long);
            if are_enough(Nanos(middle)) {
                enough = middle;
            } else {
                too_long = middle;
            }
        }
        let precision = if enough < 1_000_000_000 {
            1_000_000
        } else {
            100_000_000
        };
        let longest = Nanos(enough / precision * precision);
        let (share, its) = match targets {
            1 => (String::new(), ""),
            _ => (format!(", at most {most} for one target"), "its "),
        };
        let when = match longest {
            Nanos(0) => "since more come due at once".to_owned(),
            _ => format!("if {its}answers take longer than {longest}"),
        };
        Some(format!(
            "{}{share}: {its}requests wait {when}",
            self.workers
        ))
    }

    /// Whether the digits of the keys differ from those of every other run with the same seed.
    pub fn has_own_keys(&self) -> bool {
        self.requests_have_keys() && self.keys.are_random() && self.key_seed != self.seed
    }

    /// How many keys the requests carry, and how the traffic is spread over them.
    pub fn describe_keys(&self) -> String {
        if !self.requests_have_keys() {
            return "none in the requests".to_owned();
        }
        if let Some(requests) = self.recorded_keys() {
            let RecordedKeys::Own(count) = requests.keys else {
                return "none in the requests".to_owned();
            };
            let hidden = match requests.hiding_key {
                0 => String::new(),
                _ if self.request.keeps_key(&requests) => String::new(),
                all if all == requests.count => "; no request contains its key".to_owned(),
                some => format!(
                    "; {some} of {} requests do not contain their key",
                    requests.count
                ),
            };
            let only = match &requests.told_apart_by {
                Some(header) if !hidden.is_empty() => {
                    format!(", and the header {header} tells them apart")
                }
                _ => String::new(),
            };
            return format!(
                "{count}, as recorded{}{hidden}{only}",
                self.describe_tiers()
            );
        }
        match (self.keys.count(), self.key_distribution) {
            (None, _) => "a fresh one for every request".to_owned(),
            (Some(count), Distribution::Uniform) => format!("{count}{}", self.describe_tiers()),
            (Some(count), other) => format!("{count}{}, {other}", self.describe_tiers()),
        }
    }

    fn describe_tiers(&self) -> &'static str {
        if self.keys.have_tiers() {
            ", some with a limit or a cost of their own"
        } else {
            ""
        }
    }
}

/// What the requests of a recording are, where the run's own have this method and these paths.
fn describe_recorded(recorded: &RecordedRequests, method: &Method, paths: &str) -> String {
    let all = recorded.count;
    let has_more = !recorded.header_names.is_empty() || recorded.replace_bodies;
    let mut text = match (recorded.without_method, recorded.without_path) {
        (without_methods, without_paths)
            if without_methods == all && without_paths == all && !has_more =>
        {
            format!("{method} {paths} at recorded instants")
        }
        (without_method, without_path) => {
            let mut text = "as recorded".to_owned();
            for (without, part, own) in [
                (without_method, "method", method.as_str()),
                (without_path, "path", paths),
            ] {
                text += &match without {
                    0 => String::new(),
                    _ if without == all => format!("; without a recorded {part}: {own}"),
                    some => format!("; {some} of {all} without a recorded {part}: {own}"),
                };
            }
            text
        }
    };
    if !recorded.unread_columns.is_empty() {
        text += &format!("; columns not read: {}", names(&recorded.unread_columns));
    }
    text
}

/// Names of columns.
fn names(all: &[String]) -> String {
    let listed: Vec<_> = all
        .iter()
        .take(MOST_LISTED)
        .map(|name| printable(name))
        .collect();
    match all.len() - listed.len() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}
