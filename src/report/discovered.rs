//! What `loadgen discover` prints.

use super::judgement::Tone;
use super::styled_text::{Line, StyledText};
use crate::base::Nanos;
use crate::base::text::{count, seconds};
use crate::core::discovery::Bounds;
use crate::core::exit_code;
use crate::core::summary::{Discovery, DiscoveryCounts, DiscoveryEnding};

/// What may be sent, with which a discovery begins.
pub fn discovery_heading(
    targets: &[String],
    requests: &str,
    has_keys: bool,
    bounds: &Bounds,
) -> StyledText {
    let mut text = StyledText::default();
    text.push(Line::fixed(format!(
        "loadgen {}",
        env!("CARGO_PKG_VERSION")
    )));
    let (first, more) = (
        targets.first().map_or("", String::as_str),
        targets.len().saturating_sub(1),
    );
    let (more, enforce) = match more {
        0 => (String::new(), "enforces"),
        more => (
            format!(" and {}", count(more as u64, "more target", "more targets")),
            "enforce",
        ),
    };
    text.push(Line::sentence(
        format!("  finds out what {first}{more} {enforce}"),
        4,
    ));
    text.push(Line::sentence(format!("  requests  {requests}"), 12));
    let Bounds {
        requests,
        time,
        per_second,
    } = bounds;
    let keys = match has_keys {
        true => ", each with one of a few new keys",
        false => ", none with a key: there is no {key} in them",
    };
    text.push(Line::sentence(
        format!(
            "  sends     at most {requests} requests in {time:#}, at most {per_second} in any second{keys}. A signal ends it \
             sooner"
        ),
        12,
    ));
    text.blank();
    text
}

/// How far a discovery is. `keys` is 0 if requests carry no key.
pub fn discovery_progress(elapsed: Nanos, keys: u32, counts: &DiscoveryCounts) -> String {
    let DiscoveryCounts {
        sent,
        allowed,
        blocked,
        failed,
        ..
    } = counts;
    let requests = count(*sent, "request", "requests");
    let keys = match keys {
        0 => String::new(),
        keys => format!(" of {}", count(u64::from(keys), "key", "keys")),
    };
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let elapsed = elapsed.as_secs_f64();
    format!("{elapsed:7.0} s  {requests}{keys}: {allowed} allowed, {blocked} blocked{failed}")
}

/// How sure each part is of what was found.
pub fn discovered(of: &Discovery) -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    let width = of.details.iter().map(|detail| detail.about.chars().count());
    let width = width.max().unwrap_or(0);
    for detail in &of.details {
        let line = format!("  {:width$}  {}", detail.about, detail.statement);
        text.push(Line::sentence(line, width + 4));
    }
    let DiscoveryCounts { sent, .. } = of.requests;
    let keys = match of.keys {
        0 => String::new(),
        keys => format!(" with {}", count(keys, "key", "keys")),
    };
    let why = match of.ending {
        DiscoveryEnding::Complete | DiscoveryEnding::NothingAdmitted => "",
        DiscoveryEnding::OutOfRequests => ", as many as it may send",
        DiscoveryEnding::OutOfTime => ", as long as it may take",
        DiscoveryEnding::Failing => ", until too many failed in a row",
        DiscoveryEnding::Stopped => ", until it was stopped",
    };
    let line = format!(
        "  {:width$}  {}{keys} in {}{why}",
        "took",
        count(sent, "request", "requests"),
        seconds(Nanos(of.lasted_ns / 1_000_000 * 1_000_000)),
    );
    text.push(Line::sentence(line, width + 4));
    text
}

/// What was found, with which a discovery ends.
pub fn discovered_verdict(of: &Discovery) -> StyledText {
    let mut text = StyledText::default();
    text.blank();
    let tone = tone(of);
    text.push(Line::sentence("", 2).then_toned(tone, &of.headline));
    if !of.further.is_empty() {
        text.push(Line::sentence(of.further.join(" "), 2));
    }
    if let Some(command) = &of.audit_command {
        text.push(Line::fixed("Hold the limiter to it:"));
        text.push(Line::fixed(format!("  {}", command.text)));
    }
    text
}

/// Whether what was found is certain.
pub(super) fn tone(of: &Discovery) -> Tone {
    if of.exit_code == exit_code::FINE {
        Tone::Good
    } else {
        Tone::Unsure
    }
}
