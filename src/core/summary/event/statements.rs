//! What an event did, in sentences.

use super::{
    BEYOND, EffectSummary, EventSummary, FAILING_OPEN, HowFailed, OutageSummary, RecoverySummary,
    SpanSummary,
};
use crate::base::Nanos;
use crate::base::text::{count, seconds, span};
use crate::core::events::EventKind;
use crate::core::stats::effects::WhyUnknown;

/// The most causes of failure that a sentence names.
const CAUSES: usize = 3;

/// The most targets that a sentence names.
const TARGETS: usize = 3;

pub(super) fn of_event(event: &EventSummary) -> Vec<String> {
    let effect = &event.effect;
    let has_failed = |effect: &EffectSummary| {
        matches!(
            effect.failed,
            HowFailed::Closed | HowFailed::Open | HowFailed::OpenAndClosed
        )
    };
    let is_undo = event.kind == EventKind::Undo.name();
    if is_undo && !has_failed(effect) {
        return Vec::new();
    }
    if effect.during.sent == 0 {
        return vec!["No request was sent while it lasted.".to_owned()];
    }
    let mut statements = vec![how(event)];
    statements.extend(which_targets(event));
    statements.extend(slow(effect));
    statements.extend(felt(effect));
    statements.extend(may_have_been_admitted(&effect.during));
    statements.extend(
        effect
            .recovery
            .as_ref()
            .map(|recovery| recovered(recovery, effect)),
    );
    statements
}

pub(super) fn in_short(event: &EventSummary) -> Option<String> {
    if event.statements.is_empty() {
        return None;
    }
    let effect = &event.effect;
    let mut text = match effect.failed {
        HowFailed::Closed | HowFailed::Open | HowFailed::OpenAndClosed => {
            effect.failed.words().to_owned()
        }
        HowFailed::NotAtAll | HowFailed::Unknown | HowFailed::FailedBefore if effect.is_slow => {
            "made answers slow".to_owned()
        }
        HowFailed::NotAtAll | HowFailed::Unknown | HowFailed::FailedBefore => return None,
    };
    text += &match effect.recovery.as_ref().map(|recovery| recovery.total_ns) {
        None => String::new(),
        Some(None) if is_unknown(effect) => ", not known to be right again".to_owned(),
        Some(None) => ", not right again by the end".to_owned(),
        Some(Some(0)) => ", right again at once".to_owned(),
        Some(Some(after)) => format!(", right again after {}", span(Nanos(after))),
    };
    Some(text)
}

/// Such as `Failed closed: 612 of 900 requests failed (503 ×612).`
fn how(event: &EventSummary) -> String {
    let EffectSummary { failed, during, .. } = &event.effect;
    let closed = || {
        let causes: Vec<_> = event
            .failures
            .iter()
            .take(CAUSES)
            .map(ToString::to_string)
            .collect();
        let further = if event.failures.len() > CAUSES {
            ", …"
        } else {
            ""
        };
        format!(
            "{} of {} failed ({}{further})",
            during.failed,
            count(during.sent, "request", "requests"),
            causes.join(", ")
        )
    };
    match failed {
        HowFailed::Closed => format!("Failed closed: {}.{}", closed(), none_beyond(during)),
        HowFailed::Open => format!("Failed open: {}.", opened(during)),
        HowFailed::OpenAndClosed => {
            format!(
                "Failed open and closed: {}, and {}.",
                closed(),
                opened(during)
            )
        }
        HowFailed::NotAtAll => format!("Did not fail: {}.", no_more_failed(&event.effect)),
        HowFailed::FailedBefore => "Targets failed already when it began.".to_owned(),
        HowFailed::Unknown => format!(
            "{}. Whether it failed open can't be told: {}.",
            capitalized(&no_more_failed(&event.effect)),
            event.effect.why_unknown.as_deref().unwrap_or_default()
        ),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn no_more_failed(effect: &EffectSummary) -> String {
    let (during, before) = (&effect.during, &effect.before);
    match (during.failed, before.failed) {
        (0, _) => "no request failed".to_owned(),
        (now, then) => format!(
            "{now} of {} failed, and {then} of {} before",
            count(during.sent, "request", "requests"),
            before.sent
        ),
    }
}

fn opened(during: &SpanSummary) -> String {
    let beyond = during.admitted_beyond.unwrap_or(0);
    let marked = during.failing_open;
    let were = |number: u64| if number == 1 { "was" } else { "were" };
    match (beyond, marked) {
        (0, marked) => format!(
            "{} {} admitted with an answer that says so",
            count(marked, "request", "requests"),
            were(marked)
        ),
        (beyond, 0) => format!(
            "{} {} admitted beyond the limit",
            count(beyond, "request", "requests"),
            were(beyond)
        ),
        (beyond, marked) => format!(
            "{} {} admitted beyond the limit, and {marked} with an answer that says that the limiter fails open",
            count(beyond, "request", "requests"),
            were(beyond)
        ),
    }
}

/// Says that nothing was admitted beyond the limit, if that is known and would have been seen.
fn none_beyond(during: &SpanSummary) -> &'static str {
    match during.admitted_beyond {
        _ if during.allowed == 0 => " None was admitted.",
        Some(0) if during.blocked > 0 => " None was admitted beyond the limit.",
        _ => "",
    }
}

pub(super) fn why_unknown(why: WhyUnknown) -> String {
    match why {
        WhyUnknown::NotAudited => {
            "without --audit, admissions beyond the limit are not counted".to_owned()
        }
        WhyUnknown::NotTested => "no key was blocked towards its end, so nothing shows whether the limit was kept"
            .to_owned(),
        WhyUnknown::OpenBefore => "too many were admitted before, too".to_owned(),
        WhyUnknown::NotTestedBefore => {
            "too many were admitted, but no key was blocked before it, so it may have been so before, too"
                .to_owned()
        }
        WhyUnknown::Few => {
            "so few requests were admitted beyond the limit that it may be chance".to_owned()
        }
        WhyUnknown::MuchLater(after) => {
            format!("the first admission that was too many came only {} later", span(after))
        }
    }
}

/// Names the targets that failed closed, if not all did, and says how many others did what.
fn which_targets(event: &EventSummary) -> Option<String> {
    if !has_closed(&event.effect) || event.targets.len() < 2 {
        return None;
    }
    let all = event.targets.len();
    let targets = || event.targets.iter();
    let count_of = |how| {
        targets()
            .filter(|target| target.effect.failed == how)
            .count()
    };
    let closed = targets().filter(|target| has_closed(&target.effect));
    let names: Vec<_> = closed.map(|target| &*target.name).collect();
    if names.is_empty() {
        return None;
    }
    if names.len() == all {
        return Some(format!("All {all} targets failed closed."));
    }
    let mut text = if names.len() <= TARGETS {
        format!("Only {} failed closed.", names.join(", "))
    } else {
        format!("{} of {all} targets failed closed.", names.len())
    };
    let open = count_of(HowFailed::Open);
    let none = count_of(HowFailed::NotAtAll) + count_of(HowFailed::Unknown);
    let before = count_of(HowFailed::FailedBefore);
    let alone = names.len() <= TARGETS && open + before == 0;
    text += &match none {
        0 => String::new(),
        1 if alone => " No request to the other one failed.".to_owned(),
        none if alone => format!(" No request to the other {none} failed."),
        _ => String::new(),
    };
    if open > 0 {
        text += &format!(" {open} of {all} targets failed open.");
    }
    if before > 0 {
        text += &format!(" {before} of {all} targets failed already before.");
    }
    Some(text)
}

fn slow(effect: &EffectSummary) -> Option<String> {
    let p99 = |one: &SpanSummary| one.latency_p99_ns.map(|nanos| span(Nanos(nanos)));
    let (during, before) = (p99(&effect.during)?, p99(&effect.before)?);
    effect.is_slow.then(|| {
        format!(
            "Answers were slow: the 99th percentile of latency was {during}, and {before} before."
        )
    })
}

fn felt(effect: &EffectSummary) -> Option<String> {
    let felt = effect.felt.as_ref()?;
    let when = match felt.after_ns {
        0 => "was in flight when it began".to_owned(),
        after => format!("was sent {} later", span(Nanos(after))),
    };
    let what = match (&*felt.how, &felt.cause) {
        (_, Some(cause)) => format!("failed: {cause}"),
        (FAILING_OPEN, _) => "was admitted with an answer that says so".to_owned(),
        (BEYOND, _) => "was admitted beyond the limit".to_owned(),
        _ => "was answered slowly".to_owned(),
    };
    Some(format!(
        "The first request that felt it {when}, went to {} and {what}.",
        felt.target
    ))
}

fn may_have_been_admitted(during: &SpanSummary) -> Option<String> {
    let of = during.unanswered;
    let were = if of == 1 { "was" } else { "were" };
    (of > 0).then(|| {
        let requests = count(of, "request", "requests");
        format!("{requests} {were} not answered, and may have been admitted as well.")
    })
}

fn has_closed(effect: &EffectSummary) -> bool {
    matches!(effect.failed, HowFailed::Closed | HowFailed::OpenAndClosed)
}

/// Whether no request failed any more, and nothing shows whether the limit was kept again.
fn is_unknown(effect: &EffectSummary) -> bool {
    effect.recovery.as_ref().is_some_and(|recovery| {
        let is_good = !has_closed(effect) || recovery.good_second_ns.is_some();
        is_good && recovery.total_ns.is_none() && recovery.kept_ns.is_none()
    })
}

fn after(nanos: u64) -> String {
    match nanos {
        0 => "at once".to_owned(),
        nanos => format!("after {}", span(Nanos(nanos))),
    }
}

fn recovered(recovery: &RecoverySummary, effect: &EffectSummary) -> String {
    let from = match &*recovery.from {
        own if own.starts_with("the end") || own.starts_with("its ") => own.to_owned(),
        event => format!("the begin of {event}"),
    };
    let mut parts = Vec::new();
    if has_closed(effect) {
        parts.push(match recovery.first_answer_ns {
            Some(first) => format!("the first answer came {}", after(first)),
            None => "no answer came".to_owned(),
        });
        parts.push(match recovery.good_second_ns {
            Some(good) => format!("the first second without a failure began {}", after(good)),
            None => "no second without a failure was seen".to_owned(),
        });
    }
    parts.extend(last_excess(recovery, effect));
    let Some(total) = recovery.total_ns else {
        let mut what = "Not right again by the end of the run";
        if is_unknown(effect) {
            what = "Not known to be right again";
            let why =
                "no key was blocked after that, so nothing shows that the limit was kept again";
            parts.push(why.to_owned());
        } else if !has_closed(effect) || recovery.good_second_ns.is_some() {
            parts.push("the run ended less than a second later".to_owned());
        }
        return format!("{what}, counted from {from}: {}.", listed(&parts));
    };
    let later = if recovery.failed_later {
        " Requests failed again later."
    } else {
        ""
    };
    format!(
        "Right again {}, counted from {from}: {}.{later}",
        after(total),
        listed(&parts)
    )
}

/// Says when the last request was admitted that should not have been, if that is known.
fn last_excess(recovery: &RecoverySummary, effect: &EffectSummary) -> Option<String> {
    let kept = recovery.kept_ns?;
    Some(match recovery.last_excess.as_deref() {
        Some(FAILING_OPEN) if kept > 0 => format!(
            "the last answer that says that the limiter fails open came {}",
            after(kept)
        ),
        Some(_) if kept > 0 => format!("the last admission that was too many came {}", after(kept)),
        _ if effect.during.admitted_beyond.is_some() => {
            "none was admitted beyond the limit after that".to_owned()
        }
        _ => "no later answer says that the limiter fails open".to_owned(),
    })
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

/// Says with which event an outage began, if the run had any.
pub(super) fn of_outage(outage: &OutageSummary, has_events: bool) -> String {
    let who = match &outage.targets[..] {
        [one] => one.clone(),
        all => format!("{} targets", all.len()),
    };
    let kinds: Vec<_> = outage
        .kinds
        .iter()
        .map(|(kind, count)| format!("{kind} ×{count}"))
        .collect();
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(" ({})", kinds.join(", "))
    };
    let cause = match &outage.event {
        Some(event) => format!("; this began with {event}"),
        None if has_events => "; this began with no event".to_owned(),
        None => String::new(),
    };
    format!(
        "from {} to {}, {} to {who} failed{kinds}{cause}",
        seconds(Nanos(outage.from_ns)),
        seconds(Nanos(outage.to_ns)),
        count(outage.failed, "request", "requests"),
    )
}
