//! The metrics of thresholds. A metric is one file with its [`Family`], or one row in a table of a family, and one
//! entry in [`families`].

mod admitted_beyond;
mod audit;
mod count;
mod counted;
mod family;
mod per_second;
mod recovery;
mod requests;
mod schedule;
mod share;
mod times;

pub(super) use family::Metric;

use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::number::{Number, Quantity};
use crate::core::threshold::percentile::Percentile;
use crate::core::threshold::scope::{SCOPES, Scope};
use family::{Claim, Family};

/// All families, in the order in which errors list them.
fn families() -> Vec<&'static dyn Family> {
    let mut families: Vec<&dyn Family> = Vec::new();
    families.extend(times::ALL.iter().map(|family| family as &dyn Family));
    families.extend(counted::ALL.iter().map(|family| family as &dyn Family));
    families.push(&audit::Audit);
    families.push(&schedule::Schedule);
    families.push(&recovery::Recovery);
    families.push(&admitted_beyond::AdmittedBeyond);
    families
}

/// Reads a whole threshold.
pub(super) fn read(text: &str) -> Result<(Scope, Claim), SyntaxError> {
    let mut cursor = Cursor::new(text);
    let (scope, metric) = read_name(&mut cursor)?;
    let claim = metric.claim(&mut cursor)?;
    if !cursor.is_at_end() {
        return Err(cursor.rest().error("must be the end"));
    }
    Ok((scope, claim))
}

/// Reads the name of a number that runs can be compared by. A share may name its whole.
pub(super) fn read_number(cursor: &mut Cursor) -> Result<Number, SyntaxError> {
    let begin = cursor.rest();
    let (scope, metric) = read_name(cursor)?;
    let target = match scope {
        Scope::All => None,
        Scope::Target(place) => Some(place),
        Scope::Event(_) | Scope::Phase(_) => {
            return Err(begin.error(
                "must be a number of the whole run or of a target; events and phases are not compared",
            ));
        }
    };
    let mut number = metric.number().ok_or_else(|| {
        begin.error("must be a number, such as latency.p99; audit and schedule are verdicts")
    })?;
    number.target = target;
    let of = cursor.peek_word();
    if let Quantity::Share(counted, whole) = &mut number.quantity
        && of.text == "of"
    {
        cursor.take(of);
        *whole = cursor.one_of(counted::wholes(counted))?;
    }
    Ok(number)
}

/// Reads the name of a metric, with its scope.
pub(super) fn read_name(cursor: &mut Cursor) -> Result<(Scope, Box<dyn Metric>), SyntaxError> {
    let families = families();
    let names_of = |scope: &Scope| -> Vec<_> {
        let families = families.iter().filter(|family| family.is_of(scope));
        families.map(|family| family.name()).collect()
    };
    let mut names = names_of(&Scope::All);
    names.extend(SCOPES);
    if let Some(meant) = meant(cursor.rest().text, &names) {
        let form = format!("must be one of {}", names.join(", "));
        return Err(cursor
            .rest()
            .error(format!("{form}; did you mean {meant}?")));
    }
    let mut name = cursor.one_of(&names)?;
    let mut scope = Scope::All;
    if SCOPES.contains(&name) {
        scope = Scope::read(name, cursor)?;
        name = cursor.one_of(&names_of(&scope))?;
    }
    let family = families.iter().find(|family| family.name() == name);
    let metric = family.expect("one of the names").read(&scope, cursor)?;
    Ok((scope, metric))
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
        "recovery" | "admitted_beyond" => return Some(format!("event[NAME].{name}")),
        "http_req_duration" | "duration" | "response_time" => "latency.p99",
        _ => return None,
    };
    Some(meant.to_owned())
}
