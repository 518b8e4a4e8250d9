use super::{Audit, SCHEMA_VERSION, Summary, Timeline, Tolerances};
use crate::base::Ledger;
use crate::base::text::shortened;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// The oldest version that can be read, if no request failed.
const OLDEST: u32 = 1;

/// The reason why a text can't be read as a summary.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is not JSON: {0}")]
    NotJson(String),
    #[error("is JSON, but has no schema_version")]
    NotASummary,
    #[error(
        "is of schema_version {0}, and this loadgen reads up to {SCHEMA_VERSION}; a newer loadgen may read it"
    )]
    Newer(u64),
    #[error("is of schema_version {0}, and this loadgen reads {OLDEST} to {SCHEMA_VERSION}")]
    Older(u64),
    #[error(
        "is of schema_version {OLDEST}, whose latency is also that of failed requests: this one has {0} of them, so it can't be \
         shown or compared"
    )]
    Mixed(u64),
    #[error("does not match its schema_version: {0}")]
    Malformed(String),
    #[error("has a number that no run has: {0}")]
    Impossible(String),
}

/// The most characters of an error that quotes the text.
const QUOTED: usize = 500;

/// The rates and multiples of a run: finite, and few digits more than the greatest count.
const AMOUNT: RangeInclusive<f64> = 0.0..=1e18;

/// The part of a summary that is the same in every version.
#[derive(Deserialize)]
struct Versioned {
    schema_version: u64,
}

impl Summary {
    /// Reads a file of `--summary-json`. Unknown fields, which later versions may add, are skipped.
    ///
    /// # Errors
    /// The text is no summary that can be shown. The error quotes at most 500 characters of it.
    pub fn from_json(text: &str) -> Result<Summary, Unreadable> {
        let own = u64::from(SCHEMA_VERSION);
        let versioned: Result<Versioned, _> = serde_json::from_str(text);
        match versioned {
            Err(error) if error.is_data() => Err(Unreadable::NotASummary),
            Err(error) => Err(Unreadable::NotJson(quoted(&error))),
            // serde would take a list for the values of the fields.
            Ok(_) if !text.trim_start().starts_with('{') => Err(Unreadable::NotASummary),
            Ok(Versioned { schema_version: v }) if v > own => Err(Unreadable::Newer(v)),
            Ok(Versioned { schema_version: v }) if v < OLDEST.into() => Err(Unreadable::Older(v)),
            Ok(_) => {
                let summary: Result<Summary, _> = serde_json::from_str(text);
                let summary = summary.map_err(|error| Unreadable::Malformed(quoted(&error)))?;
                let failed = summary.requests.failed;
                if summary.schema_version == OLDEST && failed > 0 {
                    return Err(Unreadable::Mixed(failed));
                }
                summary.check().map_err(Unreadable::Impossible)?;
                Ok(summary)
            }
        }
    }
}

fn quoted(error: &serde_json::Error) -> String {
    shortened(&error.to_string(), QUOTED).into_owned()
}

impl Summary {
    /// Refuses numbers that would be shown as nonsense: ledgers that do not balance, and ratios and rates that are
    /// negative or too large. The error names the field.
    fn check(&self) -> Result<(), String> {
        balanced("requests", &self.requests)?;
        part_of_allowed("failing_open", self.failing_open, &self.requests)?;
        for (place, target) in self.targets.iter().enumerate() {
            balanced(&format!("targets[{place}].requests"), &target.requests)?;
            let name = format!("targets[{place}].failing_open");
            part_of_allowed(&name, target.failing_open, &target.requests)?;
        }
        for (place, phase) in self.phases.iter().enumerate() {
            balanced(&format!("phases[{place}].requests"), &phase.requests)?;
        }
        for (name, of) in [
            ("latency", &self.latency),
            ("service_time", &self.service_time),
            ("send_lag", &self.send_lag),
        ] {
            for (place, point) in of.spectrum.iter().enumerate() {
                let name = format!("{name}.spectrum[{place}].share");
                within(&name, point.share, 0.0..=1.0)?;
            }
        }
        if let Some(asked) = self.run.asked_per_s {
            within("run.asked_per_s", asked, AMOUNT)?;
        }
        self.timeline.check()?;
        self.audit.as_ref().map_or(Ok(()), Audit::check)
    }
}

impl Timeline {
    fn check(&self) -> Result<(), String> {
        if self.slot_ns == 0 && !self.slots.is_empty() {
            return Err("timeline.slot_ns is 0; it must be 1 or more".to_owned());
        }
        let mut counted = 0u64;
        for (place, slot) in self.slots.iter().enumerate() {
            let name = |field| format!("timeline.slots[{place}].{field}");
            within(&name("asked_per_s"), slot.asked, AMOUNT)?;
            for count in &slot.heat {
                let sum = counted.checked_add(*count);
                counted =
                    sum.ok_or_else(|| format!("{} counts more than {}", name("heat"), u64::MAX))?;
            }
        }
        Ok(())
    }
}

impl Audit {
    fn check(&self) -> Result<(), String> {
        within("audit.share", self.share, 0.0..=1.0)?;
        for (name, tolerances) in [("granted", &self.granted), ("needed", &self.needed)] {
            if let Some(Tolerances {
                excess: Some(excess),
                ..
            }) = tolerances
            {
                within(&format!("audit.{name}.excess"), *excess, AMOUNT)?;
            }
        }
        for (place, promise) in self.promises.iter().enumerate() {
            if let Some(resolution) = &promise.resolution {
                let name = format!("audit.promises[{place}].resolution.share");
                within(&name, resolution.share, AMOUNT)?;
            }
        }
        Ok(())
    }
}

fn within(name: &str, number: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&number) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(format!(
        "{name} is {number:e}; it must be from {least} to {most:e}"
    ))
}

fn balanced(name: &str, ledger: &Ledger) -> Result<(), String> {
    if ledger.balances() {
        return Ok(());
    }
    Err(format!(
        "{name} do not balance; scheduled must be sent + dropped + unsent, and sent must be allowed + blocked + failed + \
         abandoned"
    ))
}

fn part_of_allowed(name: &str, number: u64, of: &Ledger) -> Result<(), String> {
    if number <= of.allowed {
        return Ok(());
    }
    let allowed = of.allowed;
    Err(format!(
        "{name} is {number}; it must be at most the {allowed} allowed requests"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_summary_is_refused_with_its_reason() {
        let unreadable = |text: &str| Summary::from_json(text).unwrap_err().to_string();
        for (text, expected) in [
            (
                "",
                "is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            (
                "{",
                "is not JSON: EOF while parsing an object at line 1 column 1",
            ),
            ("[1]", "is JSON, but has no schema_version"),
        ] {
            assert_eq!(unreadable(text), expected);
        }
        for (version, expected) in [
            (r#""1""#, "is JSON, but has no schema_version"),
            (
                "4",
                "is of schema_version 4, and this loadgen reads up to 3; a newer loadgen may read it",
            ),
            ("0", "is of schema_version 0, and this loadgen reads 1 to 3"),
            (
                "1",
                "does not match its schema_version: missing field `loadgen` at line 1 column 20",
            ),
        ] {
            let text = format!(r#"{{"schema_version":{version}}}"#);
            assert_eq!(unreadable(&text), expected);
        }
    }
}
