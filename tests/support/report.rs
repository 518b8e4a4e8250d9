//! Reads the output of a run. Only this file knows the layout of the stats line and of the summary.

use std::collections::BTreeMap;
use std::time::Duration;

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
        let mut cells = line.split(" | ");
        let mut cell = |name: &str| cells.next()?.strip_prefix(name)?.strip_prefix(": ");
        let stats = Self {
            requests: whole(cell("Requests")?)?,
            success: whole(cell("Success")?)?,
            failed: whole(cell("Failed")?)?,
            blocked: whole(cell("Blocked")?)?,
            rps: one_decimal(cell("RPS")?)?,
        };
        cells.next().is_none().then_some(stats)
    }
}

fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn one_decimal(text: &str) -> Option<f64> {
    let (integer, fraction) = text.split_once('.')?;
    (whole(integer).is_some() && whole(fraction).is_some() && fraction.len() == 1)
        .then(|| text.parse().ok())?
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
        let summary = lines
            .iter()
            .position(|line| line.starts_with("scheduled "))
            .ok_or("no ledger")?;
        let lines = &lines[summary..];
        let first =
            |read: &dyn Fn(&str) -> Option<Vec<u64>>| lines.iter().find_map(|line| read(line));

        let tokens = first(&|line| equation(line, &["scheduled", "sent", "dropped", "unsent"]))
            .ok_or("no line `scheduled N = sent N + dropped N + unsent N`")?;
        let outcomes =
            first(&|line| equation(line, &["sent", "allowed", "blocked", "failed", "abandoned"]))
                .ok_or("no line `sent N = allowed N + blocked N + failed N + abandoned N`")?;
        assert_eq!(tokens[1], outcomes[0], "sent, said twice:\n{stdout}");

        let percentiles = |name: &str| lines.iter().find_map(|line| Percentiles::parse(line, name));
        let failures = lines
            .iter()
            .find_map(|line| line.strip_prefix("failures: "))
            .ok_or("no failures")?;
        let verdict = lines
            .iter()
            .find(|line| line.starts_with("schedule "))
            .ok_or("no verdict")?;
        Ok(Self {
            scheduled: tokens[0],
            sent: tokens[1],
            dropped: tokens[2],
            unsent: tokens[3],
            allowed: outcomes[1],
            blocked: outcomes[2],
            failed: outcomes[3],
            abandoned: outcomes[4],
            latency: percentiles("latency").ok_or("no latency")?,
            service_time: percentiles("service time").ok_or("no service time")?,
            send_lag: percentiles("send lag").ok_or("no send lag")?,
            targets: lines
                .iter()
                .filter_map(|line| Target::parse(line))
                .collect(),
            failures: failures_by_kind(failures).ok_or("no failures by kind")?,
            schedule_kept: if verdict.starts_with("schedule kept") {
                true
            } else if verdict.starts_with("schedule not kept") {
                false
            } else {
                return Err("no verdict");
            },
            text: stdout.to_owned(),
        })
    }

    /// Asserts that the ledger balances, as a whole, by target and by kind.
    #[track_caller]
    pub fn checked(self) -> Self {
        let sum = |of: fn(&Target) -> u64| self.targets.iter().map(of).sum::<u64>();
        let claims = [
            (
                "scheduled",
                self.scheduled,
                self.sent + self.dropped + self.unsent,
            ),
            (
                "sent",
                self.sent,
                self.allowed + self.blocked + self.failed + self.abandoned,
            ),
            ("failed, by kind", self.failed, self.failures.values().sum()),
            ("sent, by target", self.sent, sum(|target| target.sent)),
            (
                "allowed, by target",
                self.allowed,
                sum(|target| target.allowed),
            ),
            (
                "blocked, by target",
                self.blocked,
                sum(|target| target.blocked),
            ),
            (
                "failed, by target",
                self.failed,
                sum(|target| target.failed),
            ),
            (
                "abandoned, by target",
                self.abandoned,
                sum(|target| target.abandoned),
            ),
        ];
        for (what, said, parts) in claims {
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
fn equation(line: &str, names: &[&str]) -> Option<Vec<u64>> {
    let words: Vec<&str> = line.split(' ').collect();
    if words.len() != 3 * names.len() - 1 {
        return None;
    }
    let mut numbers = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let sign = [None, Some("="), Some("+")][index.min(2)];
        let at = 3 * index;
        if words[at] != *name || sign.is_some_and(|sign| words[at - 1] != sign) {
            return None;
        }
        numbers.push(whole(words[at + 1])?);
    }
    Some(numbers)
}

/// `refused 4, timeout 2` or `none`.
fn failures_by_kind(text: &str) -> Option<BTreeMap<String, u64>> {
    if text.trim() == "none" {
        return Some(BTreeMap::new());
    }
    let one = |part: &str| {
        let (kind, count) = part.trim().split_once(' ')?;
        Some((kind.to_owned(), whole(count.trim())?))
    };
    text.split(',').map(one).collect()
}

impl Percentiles {
    fn parse(line: &str, name: &str) -> Option<Self> {
        let cells = cells(line.strip_prefix(name)?)?;
        let [p50, p90, p99, p99_9, max] = cells.try_into().ok()?;
        Some(Self {
            p50,
            p90,
            p99,
            p99_9,
            max,
        })
    }
}

/// Durations such as `1.23 ms`, or dashes where there is nothing to show.
fn cells(text: &str) -> Option<Vec<Option<Duration>>> {
    let mut words = text.split_whitespace();
    let mut cells = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "-" | "–" | "—") {
            cells.push(None);
            continue;
        }
        let number_ends = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(word.len());
        let (number, unit) = word.split_at(number_ends);
        let unit = if unit.is_empty() { words.next()? } else { unit };
        let factor = match unit {
            "ns" => 1e-9,
            "µs" | "μs" | "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            _ => return None,
        };
        cells.push(Some(Duration::from_secs_f64(
            number.parse::<f64>().ok()? * factor,
        )));
    }
    Some(cells)
}

impl Target {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let url = words
            .next()
            .filter(|word| word.starts_with("http"))?
            .trim_end_matches('/')
            .to_owned();
        let mut count = || whole(words.next()?);
        Some(Self {
            url,
            sent: count()?,
            allowed: count()?,
            blocked: count()?,
            failed: count()?,
            abandoned: count()?,
        })
    }
}
