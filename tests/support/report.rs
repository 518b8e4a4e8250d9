//! Reads the output of a run. Only this file knows the layout of the stats line and of the summary.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

/// One line `Requests: 1234 | Success: 1230 | Failed: 4 | Blocked: 321 | RPS: 49.8`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    pub requests: u64,
    pub success: u64,
    pub failed: u64,
    pub blocked: u64,
    pub rps: f64,
}

impl Stats {
    /// Reads the line strictly: this form is promised to the character.
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        Self::read(line).unwrap_or_else(|| panic!("not in the form of a stats line: {line:?}"))
    }

    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let whole = |place: usize| words.get(place)?.parse().ok();
        let (requests, success) = (whole(1)?, whole(4)?);
        let (failed, blocked) = (whole(7)?, whole(10)?);
        let rps = words.get(13)?.parse().ok();
        let rps = rps.filter(|rps: &f64| rps.is_finite() && rps.is_sign_positive())?;
        let form = format!(
            "Requests: {requests} | Success: {success} | Failed: {failed} | Blocked: {blocked} | RPS: {rps:.1}"
        );
        (line == form).then_some(Self {
            requests,
            success,
            failed,
            blocked,
            rps,
        })
    }
}

/// The summary at the end of a run.
#[derive(Clone, Debug)]
pub struct Report {
    pub scheduled: u64,
    pub sent: u64,
    pub dropped: u64,
    pub unsent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
    pub latency: Percentiles,
    pub service_time: Percentiles,
    /// There is none unless a request failed.
    pub failed_after: Option<Percentiles>,
    pub send_lag: Percentiles,
    pub targets: Vec<Target>,
    pub failures: BTreeMap<String, u64>,
    pub schedule_kept: bool,
    text: String,
}

/// A row of the table; a cell that has nothing to show is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Percentiles {
    pub p50: Option<Duration>,
    pub p90: Option<Duration>,
    pub p99: Option<Duration>,
    pub p99_9: Option<Duration>,
    pub max: Option<Duration>,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub url: String,
    pub sent: u64,
    pub allowed: u64,
    pub blocked: u64,
    pub failed: u64,
    pub abandoned: u64,
}

impl Report {
    /// The error names the part that is missing.
    pub fn parse(stdout: &str) -> Result<Self, &'static str> {
        let lines: Vec<&str> = stdout.lines().map(str::trim).collect();
        let summary = lines.iter().position(|line| line.starts_with("scheduled "));
        let lines = &lines[summary.ok_or("no ledger")?..];
        let begun = |begin: &str| lines.iter().find_map(|line| line.strip_prefix(begin));

        let tokens = ["scheduled", "sent", "dropped", "unsent"];
        let tokens = lines.iter().find_map(|line| equation(line, tokens));
        let [scheduled, sent, dropped, unsent] =
            tokens.ok_or("no line `scheduled N = sent N + dropped N + unsent N`")?;
        let outcomes = ["sent", "allowed", "blocked", "failed", "abandoned"];
        let outcomes = lines.iter().find_map(|line| equation(line, outcomes));
        let [sent_again, allowed, blocked, failed, abandoned] =
            outcomes.ok_or("no line `sent N = allowed N + blocked N + failed N + abandoned N`")?;
        assert_eq!(sent, sent_again, "sent, said twice:\n{stdout}");

        let header = |first: &str| {
            let header = lines.iter().find(|line| line.starts_with(first));
            header.map(|header| header.split_whitespace().collect::<Vec<_>>())
        };
        let shares = header("p50 ").ok_or("no percentiles")?;
        let percentiles = |name: &str| {
            let rows = lines.iter();
            let mut rows = rows.filter_map(|line| Percentiles::parse(line, name, &shares));
            rows.next()
        };
        let columns = header("target ").ok_or("no targets")?;
        let verdict = begun("schedule ").ok_or("no verdict")?;
        if !verdict.starts_with("kept") && !verdict.starts_with("not kept") {
            return Err("no verdict");
        }
        Ok(Self {
            scheduled,
            sent,
            dropped,
            unsent,
            allowed,
            blocked,
            failed,
            abandoned,
            latency: percentiles("latency").ok_or("no latency")?,
            service_time: percentiles("service time").ok_or("no service time")?,
            failed_after: percentiles("failed after"),
            send_lag: percentiles("send lag").ok_or("no send lag")?,
            targets: lines
                .iter()
                .filter_map(|line| Target::parse(line, &columns))
                .collect(),
            failures: begun("failures: ")
                .and_then(failures_by_kind)
                .ok_or("no failures by kind")?,
            schedule_kept: verdict.starts_with("kept"),
            text: stdout.to_owned(),
        })
    }

    /// Asserts that the ledger balances, as a whole, by target and by kind.
    #[track_caller]
    pub fn checked(self) -> Self {
        let sum = |of: fn(&Target) -> u64| self.targets.iter().map(of).sum::<u64>();
        let tokens = self.sent + self.dropped + self.unsent;
        let outcomes = self.allowed + self.blocked + self.failed + self.abandoned;
        for (what, said, parts) in [
            ("scheduled", self.scheduled, tokens),
            ("sent", self.sent, outcomes),
            ("failed, by kind", self.failed, self.failures.values().sum()),
            ("sent, by target", self.sent, sum(|row| row.sent)),
            ("allowed, by target", self.allowed, sum(|row| row.allowed)),
            ("blocked, by target", self.blocked, sum(|row| row.blocked)),
            ("failed, by target", self.failed, sum(|row| row.failed)),
            (
                "abandoned, by target",
                self.abandoned,
                sum(|row| row.abandoned),
            ),
        ] {
            assert_eq!(said, parts, "{what} does not balance:\n{self}");
        }
        for row in &self.targets {
            let parts = row.allowed + row.blocked + row.failed + row.abandoned;
            assert_eq!(row.sent, parts, "{} does not balance:\n{self}", row.url);
        }
        self
    }

    #[track_caller]
    pub fn target(&self, url: &str) -> &Target {
        let row = self
            .targets
            .iter()
            .find(|row| row.url == url.trim_end_matches('/'));
        row.unwrap_or_else(|| panic!("no row of {url}:\n{self}"))
    }

    #[track_caller]
    pub fn assert_all_allowed(&self, requests: u64) {
        assert_eq!((self.allowed, self.failed), (requests, 0), "{self}");
    }

    /// All must have failed, each in one of these ways.
    #[track_caller]
    pub fn assert_all_failed_by(&self, requests: u64, kinds: &[&str]) {
        assert_eq!(self.failed, requests, "{self}");
        let by = |kind: &String| kinds.contains(&kind.as_str());
        assert!(self.failures.keys().all(by), "not by {kinds:?}:\n{self}");
    }

    /// How many requests failed in this way.
    pub fn failed_by(&self, kind: &str) -> u64 {
        self.failures.get(kind).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The numbers of `a 6 = b 1 + c 2 + d 3`, if the line has these names in this order.
fn equation<const N: usize>(line: &str, names: [&str; N]) -> Option<[u64; N]> {
    let numbers = line
        .split(' ')
        .skip(1)
        .step_by(3)
        .map(|word| word.parse().ok());
    let numbers: [u64; N] = numbers.collect::<Option<Vec<_>>>()?.try_into().ok()?;
    let terms: Vec<_> = names
        .iter()
        .zip(numbers)
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    (line == format!("{} = {}", terms[0], terms[1..].join(" + "))).then_some(numbers)
}

/// The counts of `404 ×4, 200 unmatched ×1, timeout ×2 (no answer in time)`, or of `none`, by kind.
fn failures_by_kind(text: &str) -> Option<BTreeMap<String, u64>> {
    let mut kinds = BTreeMap::new();
    // Admissions while failing open stand behind the failures.
    let text = text.split(';').next()?;
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let mut last = words.next()?;
    if last == "none" {
        return Some(kinds);
    }
    for word in words {
        if let Some(count) = word.strip_prefix('×') {
            let kind = match last.parse() {
                Ok(500..=599) => "status_5xx",
                Ok(0..=999) => "status_other",
                _ => last,
            };
            *kinds.entry(kind.to_owned()).or_default() += count.parse::<u64>().ok()?;
        }
        last = word;
    }
    (!kinds.is_empty()).then_some(kinds)
}

impl Percentiles {
    /// `columns` are the names of the cells. A percentile without a column is `None`.
    fn parse(line: &str, name: &str, columns: &[&str]) -> Option<Self> {
        let cells = cells(line.strip_prefix(name)?)?;
        if cells.len() != columns.len() {
            return None;
        }
        let of = |name: &str| cells[columns.iter().position(|column| *column == name)?];
        Some(Self {
            p50: of("p50"),
            p90: of("p90"),
            p99: of("p99"),
            p99_9: of("p99.9"),
            max: of("max"),
        })
    }
}

/// Durations such as `1.23 ms`, or dashes where there is nothing to show.
fn cells(text: &str) -> Option<Vec<Option<Duration>>> {
    let mut words = text.split_whitespace();
    let mut cells = Vec::new();
    while let Some(word) = words.next() {
        if word == "-" {
            cells.push(None);
            continue;
        }
        let duration = format!("{word} {}", words.next()?).parse::<SignedDuration>();
        cells.push(Some(duration.ok()?.try_into().ok()?));
    }
    Some(cells)
}

impl Target {
    /// `columns` are the header of the table. A count without a column is 0.
    fn parse(line: &str, columns: &[&str]) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let url = words.first()?;
        if !url.starts_with("http") && !url.starts_with("unix:") {
            return None;
        }
        let count = |name: &str| match columns.iter().position(|column| *column == name) {
            Some(place) => words.get(place)?.parse().ok(),
            None => Some(0),
        };
        Some(Self {
            url: url.trim_end_matches('/').to_owned(),
            sent: count("sent")?,
            allowed: count("allowed")?,
            blocked: count("blocked")?,
            failed: count("failed")?,
            abandoned: count("abandoned")?,
        })
    }
}
