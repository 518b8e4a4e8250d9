//! The events of a run, and what each did to the answers.

mod statements;

use super::FailureSummary;
use crate::base::{FailureKind, Nanos, Target};
use crate::core::events::{CommandEnd, CommandRecord, EventKind, EventRecord, titled};
use crate::core::stats::Results;
use crate::core::stats::effects::{
    Effect, Excess, Failed, Feeling, Felt, ObservedOutage, Opened, Recovery, RecoveryFrom,
    ScopeEffect, SpanNumbers,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An admission beyond the limit.
const BEYOND: &str = "beyond";

/// An admission with an answer that says that the limiter fails open.
const FAILING_OPEN: &str = "failing_open";

/// With more targets, only those are listed to which an event did something.
const ALL_TARGETS: usize = 20;

/// An event of the run, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Event"))]
pub struct EventSummary {
    /// Its name. An undo has the name of the event that it undoes.
    pub name: String,
    /// `command`, of the plan; `undo`, the command that undoes one; `mark`, of the plan; or `posted`, a mark that somebody set
    /// during the run.
    pub kind: String,
    /// When it was to begin, in nanoseconds since the schedule's start. Absent for a posted mark, and for an undo that ran because
    /// the run ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_ns: Option<u64>,
    /// When it began, in nanoseconds since the schedule's start: just before its command was started.
    pub began_ns: u64,
    /// When the event that ended it began, or the schedule ended, in nanoseconds since its start.
    pub until_ns: u64,
    /// The event that ended it: its undo, or else the next event. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_by: Option<String>,
    /// Absent for a mark.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<CommandSummary>,
    /// What it did, in sentences.
    pub statements: Vec<String>,
    /// What it did to all targets together.
    #[serde(flatten)]
    pub effect: EffectSummary,
    /// The failed requests while it lasted, by cause, the most frequent first.
    pub failures: Vec<FailureSummary>,
    /// What it did to each target, in the order of the summary's targets. In a run with more than 20 targets, only those are
    /// here that failed or were slow.
    pub targets: Vec<EventTarget>,
}

/// The command of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EventCommand"))]
pub struct CommandSummary {
    /// The command as it was typed.
    pub text: String,
    /// When it ended, in nanoseconds since the schedule's start. Absent if it could not be started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_ns: Option<u64>,
    /// Its exit code, if it exited by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Why it did not do what it was to do, such as `exit code 1`. Absent if it exited with 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The last 4 KiB that it wrote to standard output and standard error.
    pub output: String,
    /// The bytes that it wrote before these.
    pub output_cut_bytes: u64,
}

/// How a limiter failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HowFailed {
    /// Requests were admitted beyond the limit, or marked as failing open.
    Open,
    /// Requests failed.
    Closed,
    /// Both.
    OpenAndClosed,
    /// Neither, and it would have been seen.
    NotAtAll,
    /// No request failed because of it, and nothing would have shown that it failed open.
    Unknown,
    /// Requests failed already when the event began.
    FailedBefore,
}

/// What an event did to the answers of one target, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Effect"))]
pub struct EffectSummary {
    /// How the limiter failed because of it.
    pub failed: HowFailed,
    /// Why it is not known whether it failed open, in words. Absent if that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why_unknown: Option<String>,
    /// Whether answers became slow: at least three, and 1 %, took longer than five times the 99th percentile before, and 50 ms
    /// longer.
    pub is_slow: bool,
    /// The first request that felt it. Absent if none did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub felt: Option<FeltSummary>,
    /// How answers became right again. Absent if it did nothing that there is to recover from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery: Option<RecoverySummary>,
    /// The requests before it, since the event before that.
    pub before: SpanSummary,
    /// The requests while it lasted.
    pub during: SpanSummary,
    /// The requests after that, up to the next event. Absent if no event ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<SpanSummary>,
}

/// The requests of a span of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EventSpan"))]
pub struct SpanSummary {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were allowed.
    pub allowed: u64,
    /// Requests that were blocked.
    pub blocked: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were in flight when the drain timeout passed.
    pub abandoned: u64,
    /// Requests that were admitted with an answer that says that the limiter failed open.
    pub failing_open: u64,
    /// Requests that left and were not answered in full. They may have been admitted as well.
    pub unanswered: u64,
    /// Requests that were surely admitted beyond the limit, by the promise that is nearest to being kept. Absent without an audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub admitted_beyond: Option<u64>,
    /// The median of latency, in nanoseconds. Absent without any answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_p50_ns: Option<u64>,
    /// The 99th percentile of latency, in nanoseconds. Absent without any answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_p99_ns: Option<u64>,
}

/// The first request that felt an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Felt"))]
pub struct FeltSummary {
    /// From the event's begin to the instant at which the request was sent, in nanoseconds; 0 if that was before.
    pub after_ns: u64,
    /// The request's number, from 0, in the order of the schedule.
    pub sequence: u64,
    /// The target's base URL.
    pub target: String,
    /// `failed`, `slow`, `failing_open` (it was admitted with an answer that says so) or `beyond` (it was admitted beyond the limit).
    pub how: String,
    /// Why it failed. Absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
}

/// How answers became right again. Each time is counted from `from_ns`, and 0 if that was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Recovery"))]
pub struct RecoverySummary {
    /// What the times are counted from: the begin of the event that ended this one, or the end of this event's own command.
    pub from: String,
    /// That instant, in nanoseconds since the schedule's start.
    pub from_ns: u64,
    /// Until the first answer of a target that failed, in nanoseconds. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_answer_ns: Option<u64>,
    /// Until the end of the first answered request after which no request failed for a second, at every target that failed, in
    /// nanoseconds. Absent if that was not seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub good_second_ns: Option<u64>,
    /// Until the last admission that was too many, or marked as failing open, in nanoseconds; 0 without any. Absent if that is not
    /// known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept_ns: Option<u64>,
    /// What that admission was: `beyond` the limit, or `failing_open`, as its answer says. Absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_excess: Option<String>,
    /// Until all of it was right, in nanoseconds. Absent if that was not seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total_ns: Option<u64>,
    /// Whether requests failed later.
    pub failed_later: bool,
}

/// What an event did to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventTarget {
    /// The target's base URL.
    pub name: String,
    /// What the event did to its answers.
    #[serde(flatten)]
    pub effect: EffectSummary,
}

/// A time in which targets failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Outage"))]
pub struct OutageSummary {
    /// When the first failed request was sent, in nanoseconds since the schedule's start.
    pub from_ns: u64,
    /// When the last failed request was done, or the first later answer if that was earlier, in nanoseconds since the schedule's start.
    pub to_ns: u64,
    /// The base URLs of the targets that failed.
    pub targets: Vec<String>,
    /// The requests that failed.
    pub failed: u64,
    /// Those by kind. Kinds without any are left out.
    pub kinds: BTreeMap<String, u64>,
    /// The event with which it began. Absent if it began with none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<String>,
    /// All of this in a sentence.
    pub statement: String,
}

impl EventSummary {
    /// The events of a run, in the order in which they began.
    pub(super) fn all(results: &Results, targets: &[Target]) -> Vec<EventSummary> {
        let names: Vec<_> = targets.iter().map(Target::to_string).collect();
        let records = &results.events;
        let events = records.iter().zip(&results.effects.events);
        let events =
            events.map(|(record, effect)| EventSummary::of(record, effect, records, &names));
        events.collect()
    }

    fn of(
        record: &EventRecord,
        effect: &Effect,
        records: &[EventRecord],
        names: &[String],
    ) -> EventSummary {
        let summary = |scope: &ScopeEffect| EffectSummary::of(scope, records, names);
        let targets = effect.targets.iter().zip(names);
        let targets = targets.map(|(scope, name)| EventTarget {
            name: name.clone(),
            effect: summary(scope),
        });
        let mut event = EventSummary {
            name: record.name.clone(),
            kind: record.kind.name().to_owned(),
            due_ns: record.due.map(|due| due.0),
            began_ns: record.began.0,
            until_ns: effect.during.end.0,
            ended_by: effect.ended_by.map(|place| records[place].title()),
            command: record.command.as_ref().map(CommandSummary::of),
            statements: Vec::new(),
            effect: summary(&effect.all),
            failures: FailureSummary::all(&effect.failures),
            targets: targets.collect(),
        };
        event.statements = statements::of_event(&event);
        if names.len() > ALL_TARGETS {
            event.targets.retain(|target| target.effect.did_something());
        }
        event
    }

    /// What it did in a few words, such as `failed closed, right again after 400 ms`. `None` if it did nothing that is known.
    pub fn in_short(&self) -> Option<String> {
        statements::in_short(self)
    }

    /// The name, which for an undo says what it undoes.
    pub fn title(&self) -> String {
        titled(&self.name, self.kind == EventKind::Undo.name())
    }
}

impl CommandSummary {
    fn of(record: &CommandRecord) -> CommandSummary {
        CommandSummary {
            text: record.text.clone(),
            ended_ns: record.ended.map(|ended| ended.0),
            exit_code: match record.end {
                CommandEnd::Exited(code) => Some(code),
                _ => None,
            },
            error: record.end.error(),
            output: record.output.clone(),
            output_cut_bytes: record.output_cut,
        }
    }
}

impl HowFailed {
    fn of(scope: &ScopeEffect) -> HowFailed {
        match (scope.failed, scope.open) {
            (Failed::Yes, Opened::Yes) => HowFailed::OpenAndClosed,
            (Failed::Yes, _) => HowFailed::Closed,
            (_, Opened::Yes) => HowFailed::Open,
            (Failed::Before, _) => HowFailed::FailedBefore,
            (Failed::No, Opened::No) => HowFailed::NotAtAll,
            (Failed::No, Opened::Unknown(_)) => HowFailed::Unknown,
        }
    }

    /// Such as `failed open and closed`.
    pub fn words(self) -> &'static str {
        match self {
            HowFailed::Open => "failed open",
            HowFailed::Closed => "failed closed",
            HowFailed::OpenAndClosed => "failed open and closed",
            HowFailed::NotAtAll => "did not fail",
            HowFailed::Unknown => "not known to have failed",
            HowFailed::FailedBefore => "failed already before",
        }
    }
}

impl EffectSummary {
    fn of(scope: &ScopeEffect, records: &[EventRecord], names: &[String]) -> EffectSummary {
        EffectSummary {
            failed: HowFailed::of(scope),
            why_unknown: match scope.open {
                Opened::Unknown(why) => Some(statements::why_unknown(why)),
                Opened::Yes | Opened::No => None,
            },
            is_slow: scope.is_slow,
            felt: scope.felt.map(|felt| FeltSummary::of(felt, names)),
            recovery: scope
                .recovery
                .map(|recovery| RecoverySummary::of(&recovery, records)),
            before: SpanSummary::of(&scope.before),
            during: SpanSummary::of(&scope.during),
            after: scope.after.as_ref().map(SpanSummary::of),
        }
    }
}

impl EffectSummary {
    /// Whether answers failed, or were slow.
    fn did_something(&self) -> bool {
        let is_quiet = matches!(self.failed, HowFailed::NotAtAll | HowFailed::Unknown);
        self.is_slow || !is_quiet
    }
}

impl SpanSummary {
    fn of(numbers: &SpanNumbers) -> SpanSummary {
        let counts = &numbers.counts;
        let [p50, _, p99, ..] = numbers.latency.nanos();
        SpanSummary {
            sent: counts.sent,
            allowed: counts.allowed,
            blocked: counts.blocked,
            failed: counts.failed,
            abandoned: counts.abandoned,
            failing_open: numbers.failing_open,
            unanswered: numbers.unanswered,
            admitted_beyond: numbers.beyond,
            latency_p50_ns: p50,
            latency_p99_ns: p99,
        }
    }
}

impl FeltSummary {
    fn of(felt: Felt, names: &[String]) -> FeltSummary {
        let (how, cause) = match felt.how {
            Feeling::Failed(cause) => ("failed", Some(cause.to_string())),
            Feeling::Slow => ("slow", None),
            Feeling::FailingOpen => (FAILING_OPEN, None),
            Feeling::Beyond => (BEYOND, None),
        };
        FeltSummary {
            after_ns: felt.after.0,
            sequence: felt.sequence,
            target: names.get(felt.target).cloned().unwrap_or_default(),
            how: how.to_owned(),
            cause,
        }
    }
}

impl RecoverySummary {
    fn of(recovery: &Recovery, records: &[EventRecord]) -> RecoverySummary {
        let nanos = |span: Option<Nanos>| span.map(|span| span.0);
        RecoverySummary {
            from: match recovery.from {
                RecoveryFrom::Event(place) => records[place].title(),
                RecoveryFrom::OwnEnd => "the end of its command".to_owned(),
                RecoveryFrom::OwnBegin => "its begin".to_owned(),
            },
            from_ns: recovery.from_at.0,
            first_answer_ns: nanos(recovery.first_answer),
            good_second_ns: nanos(recovery.good_second),
            kept_ns: nanos(recovery.kept),
            last_excess: recovery.last_excess.map(|excess| match excess {
                Excess::Beyond => BEYOND.to_owned(),
                Excess::Marked => FAILING_OPEN.to_owned(),
            }),
            total_ns: nanos(recovery.total),
            failed_later: recovery.failed_later,
        }
    }
}

impl OutageSummary {
    /// All times in which targets of a run failed.
    pub(super) fn all(results: &Results, targets: &[Target]) -> Vec<OutageSummary> {
        let outages = results.effects.outages.iter();
        let outages = outages.map(|outage| OutageSummary::of(outage, &results.events, targets));
        outages.collect()
    }

    fn of(observed: &ObservedOutage, records: &[EventRecord], targets: &[Target]) -> OutageSummary {
        let outage = &observed.outage;
        let names = outage.targets.iter();
        let names = names.filter_map(|place| targets.get(*place as usize));
        let kinds = FailureKind::ALL.into_iter().zip(outage.kinds);
        let kinds = kinds.filter(|(_, count)| *count > 0);
        let mut summary = OutageSummary {
            from_ns: outage.from.0,
            to_ns: outage.to.0,
            targets: names.map(Target::to_string).collect(),
            failed: outage.failed,
            kinds: kinds
                .map(|(kind, count)| (kind.to_string(), count))
                .collect(),
            event: observed.event.map(|place| records[place].title()),
            statement: String::new(),
        };
        summary.statement = statements::of_outage(&summary, !records.is_empty());
        summary
    }
}

#[cfg(test)]
mod tests;
