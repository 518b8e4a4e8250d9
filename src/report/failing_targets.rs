//! Says early that requests to a target do nothing but fail, and why, or that the target does not answer at all.

use crate::base::text::count;
use crate::base::{FailureCause, FailureKind, Nanos};
use crate::core::round_robin::RoundRobin;
use crate::core::schedule::Schedule;
use crate::core::stats::{Failures, Tally, TargetTally};

/// The most lines of a run. A target that fails and answers by turns does not flood the output.
const MOST_LINES: usize = 20;

/// The most causes, and the most targets of one cause, that a line names.
const NAMED: usize = 3;

/// The time for which requests to a target must do nothing but fail.
const SECOND: Nanos = Nanos(1_000_000_000);

/// The time after its first request for which a target may be silent.
const SILENCE: Nanos = Nanos(2_000_000_000);

/// The fewest failures of a target that has answered before.
const AFTER_ANSWERS: u64 = 10;

/// Watches for targets to which every request fails.
#[derive(Debug)]
pub(super) struct FailingTargets {
    targets: Vec<Watched>,
    next_look: Nanos,
    lines: usize,
}

#[derive(Debug, Default)]
struct Watched {
    name: String,
    /// When its first request is due. `None` if it gets none.
    first_due: Option<Nanos>,
    answered: u64,
    /// The time of the last answer, and the failures until then.
    since: Nanos,
    before: Failures,
    /// The failures until the last look.
    latest: Failures,
    /// Whether it was reported to fail, and has not answered since.
    fails: bool,
    /// The causes that were reported.
    reported: Vec<FailureCause>,
}

/// A target that does nothing but fail.
struct Failing {
    place: usize,
    failed: u64,
    cause: FailureCause,
}

impl FailingTargets {
    pub fn new(targets: &[String], schedule: &Schedule) -> FailingTargets {
        let watched = targets.iter().map(|name| Watched {
            name: name.clone(),
            ..Watched::default()
        });
        let mut watched: Vec<_> = watched.collect();
        // Targets take turns, from the first token on. A stripe may have none for some of them.
        let turns = RoundRobin::new(targets.len(), schedule.stripe());
        for place in 0..targets.len() as u64 {
            let of_target = &mut watched[turns.target(place)];
            of_target.first_due = of_target.first_due.or_else(|| schedule.due(place));
        }
        FailingTargets {
            targets: watched,
            next_look: SECOND,
            lines: 0,
        }
    }

    /// The run joins its schedule at this time of it, and sends nothing that was due before.
    pub fn join(&mut self, at: Nanos) {
        for target in &mut self.targets {
            target.first_due = target.first_due.map(|due| due.max(at));
        }
    }

    /// The lines to print, `now` after the schedule's start. It looks once a second.
    pub fn look(&mut self, now: Nanos, tally: &Tally) -> Vec<String> {
        if now < self.next_look {
            return Vec::new();
        }
        self.next_look = Nanos((now.0 / SECOND.0 + 1) * SECOND.0);
        let (mut failing, mut changed, mut answering) = (Vec::new(), Vec::new(), Vec::new());
        let targets = self.targets.iter_mut().zip(&tally.targets);
        for (place, (watched, tally)) in targets.enumerate() {
            if watched.answers(now, tally) {
                if std::mem::take(&mut watched.fails) {
                    answering.push(place);
                }
            } else if let Some((failed, cause)) = watched.newly_fails(now, tally) {
                let list = if std::mem::replace(&mut watched.fails, true) {
                    &mut changed
                } else {
                    &mut failing
                };
                list.push(Failing {
                    place,
                    failed,
                    cause,
                });
            }
            watched.latest = tally.failures.clone();
        }
        let mut lines = Vec::new();
        if let Some(since) = failing
            .iter()
            .map(|one| self.targets[one.place].since)
            .min()
        {
            let failed = failing.iter().map(|one| one.failed).sum();
            let requests = self.requests(failed, failing.len(), now, since);
            lines.push(format!(
                "{requests} failed: {}",
                self.reasons(&failing, tally)
            ));
        }
        if !changed.is_empty() {
            let reasons = self.reasons(&changed, tally);
            lines.push(format!("After {}, still failing: {reasons}", seconds(now)));
        }
        if !answering.is_empty() {
            let subject = self.subject(&answering, tally);
            let answers = if answering.len() == 1 {
                "answers"
            } else {
                "answer"
            };
            lines.push(format!("After {}, {subject} {answers}", seconds(now)));
        }
        lines.truncate(MOST_LINES - self.lines);
        self.lines += lines.len();
        lines
    }

    /// The line about targets of which no request has ended, two seconds after their first.
    pub fn look_for_silence(
        &mut self,
        now: Nanos,
        tally: &Tally,
        timeout: Nanos,
    ) -> Option<String> {
        let targets = self.targets.iter_mut().zip(&tally.targets).enumerate();
        let silent = targets.filter_map(|(place, (watched, tally))| {
            let is_silent = !watched.fails && watched.is_silent(now, tally);
            watched.fails |= is_silent;
            is_silent.then_some(place)
        });
        let silent: Vec<_> = silent.collect();
        if silent.is_empty() || self.lines == MOST_LINES {
            return None;
        }
        self.lines += 1;
        let subject = self.subject(&silent, tally);
        Some(format!(
            "After {}, no answer yet from {subject}; each request may take {timeout} (--timeout)",
            seconds(now)
        ))
    }

    /// Such as `All 10 requests to 1 of 3 targets that ended within the first second`.
    fn requests(&self, failed: u64, targets: usize, now: Nanos, since: Nanos) -> String {
        let requests = match failed {
            1 => "The only request".to_owned(),
            failed => format!("All {}", count(failed, "request", "requests")),
        };
        let all = self.targets.len();
        let to = if targets < all {
            format!(" to {targets} of {all} targets")
        } else {
            String::new()
        };
        let when = match (since, now.0 / SECOND.0) {
            (Nanos::ZERO, 1) => "within the first second".to_owned(),
            (Nanos::ZERO, _) => format!("within the first {}", seconds(now)),
            _ => format!("in the last {}", seconds(now - since)),
        };
        format!("{requests}{to} that ended {when}")
    }

    /// Such as `http://a:80 refused the connection; http://b:80 did not answer in time`.
    fn reasons(&self, failing: &[Failing], tally: &Tally) -> String {
        let mut causes: Vec<(FailureCause, Vec<usize>)> = Vec::new();
        for one in failing {
            match causes.iter_mut().find(|(cause, _)| *cause == one.cause) {
                Some((_, places)) => places.push(one.place),
                None => causes.push((one.cause, vec![one.place])),
            }
        }
        let named = causes.iter().take(NAMED);
        let named = named.map(|(cause, places)| sentence(*cause, &self.subject(places, tally)));
        let mut named: Vec<_> = named.collect();
        if causes.len() > NAMED {
            let more = count(
                (causes.len() - NAMED) as u64,
                "other reason",
                "other reasons",
            );
            named.push(format!("and {more}"));
        }
        named.join("; ")
    }

    /// The targets at these places, such as `http://a:80, http://b:80 and 3 other targets`.
    fn subject(&self, places: &[usize], tally: &Tally) -> String {
        if let [only] = places {
            return self.name(*only, &tally.targets[*only]);
        }
        let named = places.iter().take(NAMED);
        let names: Vec<_> = named
            .map(|place| self.targets[*place].name.as_str())
            .collect();
        match places.len().checked_sub(NAMED) {
            Some(more @ 1..) => {
                let more = count(more as u64, "other target", "other targets");
                format!("{} and {more}", names.join(", "))
            }
            _ => match names.split_last() {
                Some((last, first)) => format!("{} and {last}", first.join(", ")),
                None => String::new(),
            },
        }
    }

    /// A target's URL, and the address that it stands for if that is another one.
    fn name(&self, place: usize, tally: &TargetTally) -> String {
        let name = &self.targets[place].name;
        match tally.addresses.all() {
            [only] if !name.contains(only.address.text()) => {
                format!("{name} ({})", only.address.text())
            }
            _ => name.clone(),
        }
    }
}

impl Watched {
    /// Whether there were answers since the last look.
    fn answers(&mut self, now: Nanos, tally: &TargetTally) -> bool {
        let answered = tally.latency.count();
        if answered == self.answered {
            return false;
        }
        self.answered = answered;
        self.since = now;
        self.before = tally.failures.clone();
        self.reported.clear();
        true
    }

    /// Whether no request has ended for some time after the first one was due.
    fn is_silent(&self, now: Nanos, tally: &TargetTally) -> bool {
        let ended = tally.latency.count() + tally.failures.count();
        let first_due = self.first_due.unwrap_or(now);
        ended == 0 && now.saturating_sub(first_due) >= SILENCE
    }

    /// The failures since the last answer, and their cause of late, if that has not been reported yet.
    fn newly_fails(&mut self, now: Nanos, tally: &TargetTally) -> Option<(u64, FailureCause)> {
        let failed = tally.failures.since(&self.before).count();
        let least = if self.answered == 0 { 1 } else { AFTER_ANSWERS };
        if failed < least || now.saturating_sub(self.since) < SECOND {
            return None;
        }
        let cause = tally.failures.since(&self.latest).most_frequent();
        let cause = cause.filter(|cause| !self.reported.contains(cause))?;
        self.reported.push(cause);
        Some((failed, cause))
    }
}

/// What happened to requests to `targets`, in the past tense.
fn sentence(cause: FailureCause, targets: &str) -> String {
    let status = cause.status.unwrap_or_default();
    let said = match cause.kind {
        FailureKind::Dns => format!("{targets} has no address"),
        FailureKind::Refused => format!("{targets} refused the connection"),
        FailureKind::Local => format!(
            "this machine had no file descriptor, local port or memory left for connections to {targets}"
        ),
        FailureKind::Connect => format!("there was no connection to {targets}"),
        FailureKind::Reset => {
            format!("{targets} closed the connection before the answer was complete")
        }
        FailureKind::ResetIdle => {
            format!("{targets} closed connections that were kept between requests")
        }
        FailureKind::Timeout => match cause.reason {
            // The reason says what did not happen in time.
            Some(reason) => return format!("{targets}: {}", reason.text()),
            None => format!("{targets} did not answer in time"),
        },
        FailureKind::Tls => format!("the TLS handshake with {targets} failed"),
        FailureKind::Protocol => format!("{targets} did not answer in HTTP/1.1"),
        FailureKind::Status5xx | FailureKind::StatusOther => {
            format!("{targets} answered with status {status}")
        }
        FailureKind::Unmatched => format!(
            "{targets} answered with status {status}, but no rule fits the headers or the body"
        ),
        FailureKind::Panic => format!("a bug in loadgen ended the requests to {targets}"),
    };
    match cause.reason {
        Some(reason) => format!("{said} ({})", reason.text()),
        None => said,
    }
}

/// A time in whole seconds.
fn seconds(of: Nanos) -> String {
    format!("{} s", of.0 / SECOND.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Address, Answer, KeyId, Moment, Outcome, Sample};
    use crate::core::schedule::{Profile, Rate};

    /// A run against three targets, of which the first is named.
    struct Run {
        watch: FailingTargets,
        tally: Tally,
        second: u64,
    }

    const NAMES: [&str; 3] = [
        "http://limiter:80",
        "http://10.0.0.2:80",
        "http://10.0.0.3:80",
    ];

    impl Run {
        fn new(targets: usize) -> Run {
            let names = NAMES[..targets].iter().map(|name| (*name).to_owned());
            Run {
                watch: FailingTargets::new(
                    &names.collect::<Vec<_>>(),
                    &Schedule::new(Profile::steady(Rate::per_second(10.0).unwrap()), None),
                ),
                tally: Tally::new(targets),
                second: 0,
            }
        }

        /// What is printed in the next second, in which each target answers some requests so.
        fn next(&mut self, outcomes: &[(u32, u64, Outcome)]) -> Vec<String> {
            for (target, times, outcome) in outcomes {
                for _ in 0..*times {
                    let mut answer = Answer::new(Moment::at(0), Moment::at(9), *outcome);
                    answer.address = (*target == 0).then(|| Address::new("10.0.0.1:80"));
                    self.tally.add(&Sample {
                        sequence: 0,
                        key: KeyId(0),
                        target: *target,
                        due: Moment::at(0),
                        waited_for_target: false,
                        answer,
                    });
                }
            }
            self.second += 1;
            let now = Nanos(self.second * SECOND.0);
            let too_early = self.watch.look(now.saturating_sub(Nanos(1)), &self.tally);
            assert!(too_early.is_empty());
            self.watch.look(now, &self.tally)
        }
    }

    const REFUSED: Outcome = Outcome::Failed(FailureKind::Refused);
    const RESET: Outcome = Outcome::Failed(FailureKind::Reset);

    #[test]
    fn a_dead_target_is_reported_once_then_a_new_reason_and_then_its_answers() {
        let mut run = Run::new(1);
        assert_eq!(
            run.next(&[(0, 10, REFUSED)]),
            [
                "All 10 requests that ended within the first second failed: http://limiter:80 (10.0.0.1:80) refused the \
                 connection"
            ]
        );
        assert!(run.next(&[(0, 10, REFUSED)]).is_empty());
        assert_eq!(
            run.next(&[(0, 10, RESET), (0, 2, REFUSED)]),
            [
                "After 3 s, still failing: http://limiter:80 (10.0.0.1:80) closed the connection before the answer was \
                 complete"
            ]
        );
        assert!(run.next(&[(0, 10, REFUSED)]).is_empty(), "known");
        assert_eq!(
            run.next(&[(0, 1, Outcome::Blocked), (0, 10, REFUSED)]),
            ["After 5 s, http://limiter:80 (10.0.0.1:80) answers"]
        );
        assert!(run.next(&[(0, 9, REFUSED)]).is_empty(), "too few");
        assert_eq!(
            run.next(&[(0, 3, REFUSED)]),
            [
                "All 12 requests that ended in the last 2 s failed: http://limiter:80 (10.0.0.1:80) refused the connection"
            ]
        );
    }

    #[test]
    fn a_silent_target_is_reported_after_two_seconds_and_its_first_answer_too() {
        let mut run = Run::new(2);
        let silence = |run: &mut Run, now: u64| {
            let now = Nanos(now);
            run.watch
                .look_for_silence(now, &run.tally, Nanos(10 * SECOND.0))
        };
        assert!(run.next(&[(0, 5, Outcome::Allowed)]).is_empty());
        assert_eq!(
            silence(&mut run, 2_099_999_999),
            None,
            "its first request is the second"
        );
        assert_eq!(
            silence(&mut run, 2_100_000_000).as_deref(),
            Some(
                "After 2 s, no answer yet from http://10.0.0.2:80; each request may take 10s (--timeout)"
            )
        );
        assert_eq!(silence(&mut run, 9_000_000_000), None, "reported once");
        assert_eq!(
            run.next(&[(1, 5, Outcome::Allowed)]),
            ["After 2 s, http://10.0.0.2:80 answers"]
        );
    }

    #[test]
    fn one_target_of_several_is_named_and_several_are_in_one_line() {
        let mut run = Run::new(3);
        assert_eq!(
            run.next(&[
                (0, 5, Outcome::Allowed),
                (1, 5, REFUSED),
                (2, 5, Outcome::Allowed)
            ]),
            [
                "All 5 requests to 1 of 3 targets that ended within the first second failed: http://10.0.0.2:80 refused \
                 the connection"
            ]
        );
        let mut run = Run::new(3);
        let timeout = Outcome::Failed(FailureKind::Timeout);
        assert!(run.next(&[]).is_empty());
        assert_eq!(
            run.next(&[(0, 1, REFUSED), (1, 1, timeout), (2, 1, REFUSED)]),
            [
                "All 3 requests that ended within the first 2 s failed: http://limiter:80 and http://10.0.0.3:80 refused \
                 the connection; http://10.0.0.2:80 did not answer in time"
            ]
        );
        let answers = [0, 1, 2].map(|target| (target, 1, Outcome::Allowed));
        assert_eq!(
            run.next(&answers),
            ["After 3 s, http://limiter:80, http://10.0.0.2:80 and http://10.0.0.3:80 answer"]
        );
    }

    #[test]
    fn a_target_that_also_answers_is_never_reported() {
        let mut run = Run::new(1);
        for _ in 0..100 {
            let lines = run.next(&[(0, 1, Outcome::Allowed), (0, 99, REFUSED)]);
            assert!(lines.is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn a_target_that_fails_and_answers_by_turns_has_few_lines() {
        let mut run = Run::new(1);
        let mut lines = 0;
        for _ in 0..1_000 {
            lines += run.next(&[(0, 20, REFUSED)]).len();
            lines += run.next(&[(0, 20, RESET)]).len();
            lines += run.next(&[(0, 20, Outcome::Allowed)]).len();
        }
        assert_eq!(lines, MOST_LINES);
    }
}
