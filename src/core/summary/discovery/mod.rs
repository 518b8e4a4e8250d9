//! What `loadgen discover` found out, as data. `--summary-json` writes it as JSON.

mod sentences;

use super::{
    Build, DurationSummary, FailureSummary, NeededVariable, RepeatingCommand, Setting, timestamp,
};
use crate::base::{Ledger, Moment, Nanos, Outcome, Sample};
use crate::core::audit::{Limit, Quota};
use crate::core::discovery::{self, Bounds, Ending, Findings, Found, Question, TimeClaim};
use crate::core::exit_code;
use crate::core::stats::{Lateness, Snapshot, State, Tally};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;
use strum::Display;

/// The version of the format. It changes when a field is removed or changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// The most answers that are kept.
pub const MOST_ANSWERS: usize = 20_000;

/// What a limiter enforces, found out from the outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Discovery {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The program that found it out.
    pub loadgen: Build,
    /// The exit code: 0 is an answer, also that no limit was found; 3 is none.
    pub exit_code: u8,
    /// The instant of the first request, RFC 3339 in UTC.
    pub started: String,
    /// From the first request to the last answer, in nanoseconds.
    pub lasted_ns: u64,
    /// The base URLs of the targets.
    pub targets: Vec<String>,
    /// Every option, in the order of the help. Masks such as `***(24 bytes)` stand for secrets, unless they were to be shown.
    pub settings: Vec<Setting>,
    /// What was to be sent at most.
    pub bounds: DiscoveryBounds,
    /// Why it ended.
    pub ending: DiscoveryEnding,
    /// The requests by outcome.
    pub requests: DiscoveryCounts,
    /// The number of keys that were used; 0 if requests carry no key.
    pub keys: u64,
    /// done − due of answered requests.
    pub latency: DurationSummary,
    /// Failed requests by cause, the most frequent first.
    pub causes: Vec<FailureSummary>,
    /// What the limiter enforces, as a sentence.
    pub headline: String,
    /// What else was found, a sentence each.
    pub further: Vec<String>,
    /// How sure each part of it is.
    pub details: Vec<Detail>,
    /// Every limiter that explains all answers. If there are several, the answers fit each of them.
    pub candidates: Vec<Candidate>,
    /// How coarse the limiter's clock has to be for them, in nanoseconds.
    pub clock_grain_ns: u64,
    /// The most requests of one counter that were admitted before its first block. Absent if nothing was blocked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub admitted_at_once: Option<u64>,
    /// What counts together.
    pub shared: Shared,
    /// What headers claim, compared with what was observed.
    pub claims: Vec<HeaderClaim>,
    /// The command of a run that holds the limiter to what was found. Absent if nothing was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_command: Option<AuditCommand>,
    /// How admitted requests are delayed, if they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delay: Option<DiscoveredDelay>,
    /// The first 20,000 answers, in the order in which they came.
    pub answers: Vec<DiscoveryAnswer>,
}

/// What was to be sent at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiscoveryBounds {
    /// The most requests.
    pub requests: u64,
    /// The longest time, in nanoseconds.
    pub time_ns: u64,
    /// The most requests in any second.
    pub per_second: u64,
}

/// Why a discovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum DiscoveryEnding {
    /// Every question was asked.
    Complete,
    /// As many requests were sent as were allowed.
    OutOfRequests,
    /// The longest time was over.
    OutOfTime,
    /// Too many requests in a row were neither admitted nor blocked.
    Failing,
    /// The first request was blocked already, and all others for long enough.
    NothingAdmitted,
    /// A signal stopped it.
    Stopped,
}

/// The requests by outcome: sent = allowed + blocked + failed + unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiscoveryCounts {
    /// All requests.
    pub sent: u64,
    /// Requests that the limiter let pass.
    pub allowed: u64,
    /// Requests that the limiter refused.
    pub blocked: u64,
    /// Requests that failed, or were answered otherwise.
    pub failed: u64,
    /// Requests without an answer when a signal ended the discovery.
    pub unanswered: u64,
}

/// A part of what was found, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Detail {
    /// The part, in a word or two, such as `window`.
    pub about: String,
    /// What is known of it.
    pub statement: String,
}

/// A limiter that explains all answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Candidate {
    /// The limiter as `--audit` takes it, in units of which each request counts `--cost`.
    pub promise: String,
    /// Its limits, which hold together.
    pub limits: Vec<EnforcedLimit>,
}

/// One limit of a limiter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EnforcedLimit {
    /// The algorithm, such as `sliding-window`.
    pub algorithm: String,
    /// The kind of the algorithm, as `--audit` names it behind `by`.
    pub kind: String,
    /// How many requests a window admits, or come back to a bucket in it.
    pub limit: u64,
    /// The window, in nanoseconds: the roundest one that explains all answers.
    pub window_ns: u64,
    /// The shortest window that explains all answers, in nanoseconds.
    pub window_least_ns: u64,
    /// The longest window that explains all answers, in nanoseconds.
    pub window_most_ns: u64,
    /// By how much `window_ns` may be wrong, either way, in nanoseconds. The limiter's clock may run up to 500 millionths faster
    /// or slower than this machine's.
    pub window_error_ns: u64,
    /// The burst of a bucket as `promise` has it. The limit, for other algorithms.
    pub burst: u64,
    /// The smallest burst of a bucket that explains all answers. The limit, for other algorithms.
    pub burst_least: u64,
    /// The greatest burst of a bucket that explains all answers. The limit, for other algorithms.
    pub burst_most: u64,
    /// Whether blocked requests count, too.
    pub counts_blocked: bool,
    /// Whether the windows of a clock begin on multiples of their length since the beginning of 1970. Absent if that is
    /// unknown, or for other algorithms.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begins_on_multiples: Option<bool>,
}

/// What counts together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shared {
    /// Whether two keys share a count.
    pub by_keys: Shares,
    /// Whether connections share a count.
    pub by_connections: Shares,
    /// Whether each target shares the count of the first one, in the order of the targets.
    pub by_targets: Vec<Shares>,
}

/// Whether a count is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Shares {
    /// It is shared.
    Yes,
    /// Each has a count of its own.
    No,
    /// The answers do not tell.
    Unknown,
}

/// The times that a header claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeaderClaim {
    /// The header's name.
    pub header: String,
    /// How many of its times were compared with the next admission.
    pub compared: u64,
    /// By how much a request was still blocked after the claimed time at most, in nanoseconds; 0 if none was.
    pub early_ns: u64,
    /// By how much a request was admitted before it at most, beyond the rounding to seconds, in nanoseconds; 0 if none was.
    pub late_ns: u64,
    /// The last claimed time, in seconds after its answer.
    pub last_s: u64,
    /// Whether the claims are true, as a sentence.
    pub statement: String,
}

/// Admitted requests that were answered late and evenly spaced, because the limiter queues what exceeds its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiscoveredDelay {
    /// How many requests were delayed.
    pub requests: u64,
    /// How long the slowest answer of them took, in nanoseconds.
    pub longest_ns: u64,
    /// The time between two answers, in nanoseconds.
    pub every_ns: u64,
}

/// A command, and the environment variables that it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditCommand {
    /// The command, for a shell. `{env:NAME}` stands for secrets.
    pub text: String,
    /// The environment variables that it reads.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub variables: Vec<NeededVariable>,
}

/// A request of a discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiscoveryAnswer {
    /// The number of its key, from 0.
    pub key: u32,
    /// The place of its target, from 0.
    pub target: usize,
    /// Whether it had a connection of its own.
    pub fresh: bool,
    /// When it was sent, after the first one, in nanoseconds.
    pub sent_ns: u64,
    /// When its answer was complete, after the first request, in nanoseconds.
    pub done_ns: u64,
    /// What came of it.
    pub outcome: AnswerOutcome,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AnswerOutcome {
    /// The limiter let it pass.
    Allowed,
    /// The limiter refused it.
    Blocked,
    /// It failed, or was answered otherwise.
    Failed,
    /// It had no answer when a signal ended the discovery.
    Unanswered,
}

/// The requests of a discovery, as they end.
#[derive(Debug)]
pub struct DiscoveryTally {
    /// One for each target.
    ledgers: Vec<Ledger>,
    tally: Tally,
    keys: u32,
    answers: Vec<DiscoveryAnswer>,
}

/// The parts of a discovery that are not made from its findings.
#[derive(Debug)]
pub struct DiscoveryCircumstances {
    /// The first request's.
    pub started: SystemTime,
    pub targets: Vec<String>,
    pub settings: Vec<Setting>,
    /// Whether requests carry a key.
    pub has_keys: bool,
    /// How many units of the limit a request counts.
    pub cost: u64,
    pub tally: DiscoveryTally,
}

impl DiscoveryTally {
    /// For so many targets.
    pub fn new(targets: usize) -> DiscoveryTally {
        DiscoveryTally {
            ledgers: vec![Ledger::default(); targets],
            tally: Tally::new(targets),
            keys: 0,
            answers: Vec::new(),
        }
    }

    /// Counts a request that has ended. Times count from `start`.
    pub fn add(&mut self, question: &Question, sample: &Sample, start: Moment) {
        self.tally.add(sample);
        let (answer, ledger) = (&sample.answer, &mut self.ledgers[question.target]);
        ledger.scheduled += 1;
        ledger.sent += 1;
        let (count, outcome) = match answer.outcome {
            Outcome::Allowed => (&mut ledger.allowed, AnswerOutcome::Allowed),
            Outcome::Blocked => (&mut ledger.blocked, AnswerOutcome::Blocked),
            Outcome::Failed(_) => (&mut ledger.failed, AnswerOutcome::Failed),
            Outcome::Abandoned => (&mut ledger.abandoned, AnswerOutcome::Unanswered),
        };
        *count += 1;
        self.keys = self.keys.max(question.key + 1);
        if self.answers.len() < MOST_ANSWERS {
            self.answers.push(DiscoveryAnswer {
                key: question.key,
                target: question.target,
                fresh: question.fresh,
                sent_ns: answer.sent.since(start).0,
                done_ns: answer.done.since(start).0,
                outcome,
            });
        }
    }

    /// The requests so far.
    pub fn counts(&self) -> DiscoveryCounts {
        let all: Ledger = self.ledgers.iter().copied().sum();
        DiscoveryCounts {
            sent: all.sent,
            allowed: all.allowed,
            blocked: all.blocked,
            failed: all.failed,
            unanswered: all.abandoned,
        }
    }

    /// The state of the discovery for the live view, `elapsed` after `started`. `names` are those of the targets.
    pub fn snapshot(
        &self,
        state: State,
        started: SystemTime,
        elapsed: Nanos,
        names: &[String],
    ) -> Snapshot {
        let lateness = vec![Lateness::default(); self.ledgers.len()];
        let (names, ledgers) = (names.iter().cloned(), &self.ledgers);
        Snapshot::new(
            state,
            started,
            elapsed,
            names,
            ledgers,
            &lateness,
            &self.tally,
        )
    }

    /// The number of keys that were used.
    pub fn keys(&self) -> u32 {
        self.keys
    }
}

impl Discovery {
    /// What was found. `audit_command` makes the command that holds the limiter to a candidate.
    pub fn new(
        findings: &Findings,
        circumstances: DiscoveryCircumstances,
        audit_command: impl FnOnce(&Candidate) -> RepeatingCommand,
    ) -> Discovery {
        let DiscoveryCircumstances {
            started,
            targets,
            settings,
            has_keys,
            cost,
            tally,
        } = circumstances;
        let explanations = findings.explanations.iter();
        let candidates: Vec<_> = explanations
            .map(|found| Candidate::of(found, cost))
            .collect();
        let claims = [&findings.claims.retry_after, &findings.claims.reset];
        let mut discovery = Discovery {
            schema_version: SCHEMA_VERSION,
            loadgen: Build::this(),
            exit_code: exit_code::FINE,
            started: timestamp(started, Nanos::ZERO),
            lasted_ns: findings.lasted.0,
            settings,
            bounds: DiscoveryBounds::of(&findings.bounds),
            ending: DiscoveryEnding::of(findings.ending),
            requests: tally.counts(),
            keys: if has_keys { u64::from(tally.keys) } else { 0 },
            headline: String::new(),
            further: Vec::new(),
            latency: DurationSummary::new(&tally.tally.latency),
            causes: FailureSummary::all(&tally.tally.failures()),
            details: Vec::new(),
            audit_command: candidates.first().map(|candidate| {
                let command = audit_command(candidate);
                AuditCommand {
                    text: command.text,
                    variables: command.variables,
                }
            }),
            candidates,
            clock_grain_ns: findings.grain.0,
            admitted_at_once: findings.admitted_at_once,
            shared: Shared {
                by_keys: Shares::of(findings.keys),
                by_connections: Shares::of(findings.connections),
                by_targets: findings.nodes.iter().copied().map(Shares::of).collect(),
            },
            claims: claims.into_iter().flatten().map(HeaderClaim::of).collect(),
            delay: findings.delay.map(|delay| DiscoveredDelay {
                requests: delay.requests,
                longest_ns: delay.longest.0,
                every_ns: delay.every.0,
            }),
            answers: tally.answers,
            targets,
        };
        let said = sentences::say(&discovery, findings);
        discovery.exit_code = if said.is_an_answer {
            exit_code::FINE
        } else {
            exit_code::INCONCLUSIVE
        };
        discovery.headline = said.headline;
        discovery.further = said.further;
        discovery.details = said.details;
        discovery
    }
}

impl DiscoveryBounds {
    fn of(bounds: &Bounds) -> DiscoveryBounds {
        DiscoveryBounds {
            requests: bounds.requests,
            time_ns: bounds.time.0,
            per_second: bounds.per_second,
        }
    }
}

impl DiscoveryEnding {
    fn of(ending: Ending) -> DiscoveryEnding {
        match ending {
            Ending::Complete => DiscoveryEnding::Complete,
            Ending::OutOfRequests => DiscoveryEnding::OutOfRequests,
            Ending::OutOfTime => DiscoveryEnding::OutOfTime,
            Ending::Failing => DiscoveryEnding::Failing,
            Ending::NothingAdmitted => DiscoveryEnding::NothingAdmitted,
            Ending::Stopped => DiscoveryEnding::Stopped,
        }
    }
}

impl Candidate {
    /// A request counts `cost` units of the limit.
    fn of(found: &[Found], cost: u64) -> Candidate {
        let promises = found.iter().map(|one| {
            let Quota {
                limit,
                window,
                burst,
            } = one.limit.quota;
            let quota = Quota {
                limit: limit * cost,
                window,
                burst: burst * cost,
            };
            Limit { quota, ..one.limit }.to_string()
        });
        let promises: Vec<_> = promises.collect();
        Candidate {
            promise: promises.join(" and "),
            limits: found.iter().map(EnforcedLimit::of).collect(),
        }
    }
}

impl EnforcedLimit {
    /// How many requests it admits in the long run, per second.
    pub fn per_second(&self) -> f64 {
        self.limit as f64 / Nanos(self.window_ns).as_secs_f64()
    }

    fn of(found: &Found) -> EnforcedLimit {
        let limit = &found.limit;
        let about = limit.algorithm.about();
        EnforcedLimit {
            algorithm: about.name.to_owned(),
            kind: about.kinds[limit.kind.unwrap_or_default()].name.to_owned(),
            limit: limit.quota.limit,
            window_ns: limit.quota.window.0,
            window_least_ns: found.window.0.0,
            window_most_ns: found.window.1.0,
            window_error_ns: found.error.0,
            burst: limit.quota.burst,
            burst_least: *found.burst.start(),
            burst_most: *found.burst.end(),
            counts_blocked: found.counts_blocked,
            begins_on_multiples: found.begins_on_multiples(),
        }
    }
}

impl Shares {
    fn of(shares: discovery::Shares) -> Shares {
        match shares {
            discovery::Shares::Yes => Shares::Yes,
            discovery::Shares::No => Shares::No,
            discovery::Shares::Unknown => Shares::Unknown,
        }
    }
}

impl HeaderClaim {
    fn of(claim: &TimeClaim) -> HeaderClaim {
        HeaderClaim {
            header: claim.header.to_owned(),
            compared: claim.compared,
            early_ns: claim.early.0,
            late_ns: claim.late.0,
            last_s: claim.last,
            statement: sentences::claim(claim),
        }
    }
}
