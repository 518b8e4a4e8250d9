//! The metrics of thresholds. A metric is one file with its [`Family`], or one row in a table of a family, and one
//! entry in [`families`].

mod audit;
mod count;
mod counted;
mod family;
mod per_second;
mod requests;
mod schedule;
mod share;
mod times;

pub(super) use family::Metric;

use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::measurements::Scope;
use crate::core::threshold::number::{Number, Quantity};
use crate::core::threshold::percentile::Percentile;
use family::{Claim, Family};

const TARGET: &str = "target";

/// All families, in the order in which errors list them.
fn families() -> Vec<&'static dyn Family> {
    let mut families: Vec<&dyn Family> = Vec::new();
    families.extend(times::ALL.iter().map(|family| family as &dyn Family));
    families.extend(counted::ALL.iter().map(|family| family as &dyn Family));
    families.push(&audit::Audit);
    families.push(&schedule::Schedule);
    families
}

/// Reads a whole threshold.
pub(super) fn read(text: &str) -> Result<Claim, SyntaxError> {
    let mut cursor = Cursor::new(text);
    let claim = read_name(&mut cursor)?.claim(&mut cursor)?;
    if !cursor.is_at_end() {
        return Err(cursor.rest().error("must be the end"));
    }
    Ok(claim)
}

/// Reads the name of a number. A share may name its whole.
pub(super) fn read_number(cursor: &mut Cursor) -> Result<Number, SyntaxError> {
    let begin = cursor.rest();
    let number = read_name(cursor)?.number();
    let mut number = number.ok_or_else(|| {
        begin.error("must be a number, such as latency.p99; audit and schedule are verdicts")
    })?;
    let of = cursor.peek_word();
    if let Quantity::Share(counted, whole) = &mut number.quantity
        && of.text == "of"
    {
        cursor.take(of);
        *whole = cursor.one_of(counted::wholes(counted))?;
    }
    Ok(number)
}

/// Reads the name of a metric.
pub(super) fn read_name(cursor: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
    let mut families = families();
    let mut names: Vec<_> = families.iter().map(|family| family.name()).collect();
    names.push(TARGET);
    if let Some(meant) = meant(cursor.rest().text, &names) {
        let form = format!("must be one of {}", names.join(", "));
        return Err(cursor
            .rest()
            .error(format!("{form}; did you mean {meant}?")));
    }
    let mut name = cursor.one_of(&names)?;
    let mut scope = Scope::All;
    if name == TARGET {
        scope = read_target(cursor)?;
        families.retain(|family| family.is_by_target());
        let names: Vec<_> = families.iter().map(|family| family.name()).collect();
        name = cursor.one_of(&names)?;
    }
    let family = families.iter().find(|family| family.name() == name);
    family.expect("one of the names").read(scope, cursor)
}

/// The metric that is meant by a name that lacks its first half, or that other programs use.
fn meant(text: &str, names: &[&str]) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let name = text.split(|c| !is_part(c)).next().unwrap_or_default();
    let first = name.split('.').next().unwrap_or_default();
    if names.contains(&first) {
        return None;
    }
    let name = name.to_lowercase();
    if Percentile::parse(&name).is_some() {
        return Some(format!("latency.{name}"));
    }
    let meant = match &*name {
        "min" | "mean" | "max" => return Some(format!("latency.{name}")),
        "avg" | "average" => "latency.mean",
        "median" | "med" => "latency.p50",
        "error" | "errors" | "error_rate" | "failure" | "failures" | "http_req_failed" => {
            "failed.rate"
        }
        "rps" | "qps" | "throughput" | "rate" => "sent.per_second",
        "http_req_duration" | "duration" | "response_time" => "latency.p99",
        _ => return None,
    };
    Some(meant.to_owned())
}

/// Reads `[N].`, with numbers from 1.
fn read_target(cursor: &mut Cursor) -> Result<Scope, SyntaxError> {
    cursor.symbol("[", TARGET)?;
    let number = cursor.take(cursor.peek_word());
    let place = number.text.parse::<usize>().ok();
    let place = place.and_then(|number| number.checked_sub(1));
    let place = place.ok_or_else(|| {
        number.error("must be a target's number, from 1 in the order in which they are given")
    })?;
    cursor.symbol("]", number.text)?;
    cursor.symbol(".", TARGET)?;
    Ok(Scope::Target(place))
}
