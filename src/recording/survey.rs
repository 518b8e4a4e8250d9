//! Both readings of the files.

use super::file::{self, Unreadable};
use super::row::Wrong;
use super::rows::Rows;
use crate::base::{Moment, Nanos};
use crate::core::answers::Answers;
use crate::core::audit::{
    AuditReport, AuditVerdict, AuditedKey, Auditor, Decision, Nodes, Observation, PriorUse, Terms,
};
use crate::core::outages::Response;
use crate::core::recorded::{
    ColumnNames, Gap, Identity, KeyNames, Layout, NumberedBy, Parts, Recorded, Resolution,
    StoppedStripe, TargetNames, TargetPlaces,
};
use crate::core::summary::RecordedCounts;
use std::collections::HashSet;
use std::mem;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How rows are read.
#[derive(Debug)]
pub struct Columns {
    pub names: ColumnNames,
    /// The meaning of a status.
    pub answers: Answers,
}

/// Files that have been read once.
#[derive(Debug)]
pub struct Recording {
    files: Vec<Surveyed>,
    keys: KeyNames,
    /// The keys of the runs' probes.
    probe_keys: KeyNames,
    targets: TargetNames,
    /// The first request of each file of `--requests`, to find out whether it comes again.
    firsts: HashSet<Identity>,
    /// The runs and the stripes that the files have.
    parts: Parts,
    /// The zero of the audit's times, in nanoseconds by the files' own.
    start: u64,
    /// The number of rows that are read of a file at once.
    block: u64,
}

/// What the first reading learned of a file.
#[derive(Debug)]
struct Surveyed {
    path: PathBuf,
    layout: Layout,
    rows: u64,
    /// For each block of rows, the earliest start in it and in all later blocks.
    earliest: Vec<u64>,
    /// The zero of the file's times, or its earliest start.
    origin: u64,
    /// By how much its instants may be off, with the error of its machine's clock if that counts.
    resolution: Resolution,
    /// The sum of the times from sent to done, in nanoseconds.
    took: u128,
    stated: ClockErrors,
    /// How far the clocks of its machines may be off, in nanoseconds. `None` if that does not count, because one clock gave all
    /// instants.
    clock_error: Option<u64>,
}

/// What a file's rows say of how far the clocks of their machines may be off.
#[derive(Debug, Clone, Copy, Default)]
struct ClockErrors {
    /// The greatest error that a row says, in nanoseconds.
    most: Option<u64>,
    /// Whether a row does not say it.
    has_unknown: bool,
}

impl ClockErrors {
    fn add(&mut self, error: Option<u64>) {
        self.most = self.most.max(error);
        self.has_unknown |= error.is_none();
    }

    /// The greatest error, if rows that say none have the error `given`. `None` if they need it and it is not given.
    fn greatest(self, given: Option<Nanos>) -> Option<u64> {
        let most = self.most.unwrap_or(0);
        match self.has_unknown {
            true => given.map(|given| most.max(given.0)),
            false => Some(most),
        }
    }
}

/// The number of rows of all files that are read between two steps of the audit. Each file has a share of them, so that no
/// more rows wait for those of other files if there are many files.
const BLOCKS: u64 = 1 << 15;

/// The least and the most rows of one file that are read at once.
const BLOCK: RangeInclusive<u64> = 128..=4096;

/// The number of rows that are read of each of so many files at once.
fn block(files: usize) -> u64 {
    (BLOCKS / files.max(1) as u64).clamp(*BLOCK.start(), *BLOCK.end())
}

/// The earliest nanosecond since 1970 that is taken for an instant of the calendar: in 1973.
const BY_CALENDAR: u64 = 100_000_000_000_000_000;

/// Instants of several machines can't be compared without it.
const UNKNOWN_ERROR: &str = "must say in clock_error_ns, in each row, how far its machine's clock may be off, since there are several machines or \
                             files; --clock-error says it otherwise, such as 10ms, or 0 if one clock gave all instants";

/// The audit of a recording.
#[derive(Debug)]
pub struct Reported {
    pub report: AuditReport,
    /// The report is about the requests before this. `None` if it is about all of them.
    pub until: Option<EarliestStop>,
    /// The requests of each file, in their order.
    pub files: Vec<RecordedCounts>,
    /// The requests to each node, by its number ([`Nodes`]).
    pub nodes: Vec<RecordedCounts>,
}

/// All stripes were stopped, this one first. Every request that was sent before is in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarliestStop {
    /// The audit's time.
    pub at: Nanos,
    pub stripe: StoppedStripe,
}

impl Recording {
    /// Reads all files once. If they come from several machines, each request may have begun earlier and ended later by the
    /// error of its machine's clock: the greatest that its file says, where each row that says none counts with `clock_error`.
    /// The log of another program may come from several machines if it says errors. The names of keys take at most `memory`
    /// bytes, and those of the probes' keys at most a quarter of that in addition.
    ///
    /// # Errors
    /// A file or a row of it can't be read, rows do not belong together, or nobody says how far a machine's clock may be off.
    pub fn survey(
        paths: &[PathBuf],
        columns: &Columns,
        clock_error: Option<Nanos>,
        memory: usize,
    ) -> Result<Recording, Unreadable> {
        let mut recording = Recording {
            files: Vec::new(),
            keys: KeyNames::new(memory),
            probe_keys: KeyNames::new(memory / 4),
            targets: TargetNames::default(),
            firsts: HashSet::new(),
            parts: Parts::default(),
            start: u64::MAX,
            block: block(paths.len()),
        };
        for path in paths {
            let wrong = |wrong: Wrong| Unreadable::new(path, wrong);
            let file = recording
                .read_once(path, columns, paths.len() > 1)
                .map_err(wrong)?;
            if paths.len() > 1 && file.rows > 0 && file.origin < BY_CALENDAR {
                let why = "its times are not since 1970, so it can't be merged with other files";
                return Err(wrong(why.into()));
            }
            recording.files.push(file);
        }
        if let Some((file, why)) = recording.parts.surplus() {
            return Err(Unreadable::new(&paths[file], why));
        }
        let are_several = paths.len() > 1 || recording.parts.has_several_stripes();
        for file in &mut recording.files {
            let may_be_several = !file.layout.is_own() && file.stated.most.is_some();
            if file.rows > 0 && (are_several || may_be_several) {
                let error = file.stated.greatest(clock_error);
                let error = error.ok_or_else(|| Unreadable::new(&file.path, UNKNOWN_ERROR))?;
                file.resolution = file.resolution.widened(error);
                file.clock_error = Some(error);
            }
            let start = file.origin.saturating_sub(file.resolution.before);
            recording.start = recording.start.min(start);
        }
        Ok(recording)
    }

    fn read_once(
        &mut self,
        path: &Path,
        columns: &Columns,
        several: bool,
    ) -> Result<Surveyed, Wrong> {
        let mut reading = Reading::open(path, columns, several)?;
        let mut file = Surveyed {
            path: path.to_owned(),
            layout: reading.layout.clone(),
            rows: 0,
            earliest: Vec::new(),
            origin: u64::MAX,
            resolution: Resolution::UNKNOWN,
            took: 0,
            stated: ClockErrors::default(),
            clock_error: None,
        };
        let number = self.files.len();
        let counts_rows = file.layout.counts_rows();
        let (mut has_key, mut has_target) = (false, false);
        let is_own = file.layout.is_own();
        let mut is_first = true;
        let block = self.block;
        loop {
            let mut earliest = u64::MAX;
            let rows = reading.read_block(block, |row| {
                if is_own {
                    self.check_repetition(row, mem::take(&mut is_first))?;
                    self.parts.add(number, row, counts_rows)?;
                }
                file.stated.add(row.clock_error);
                file.took += u128::from(row.took());
                has_key |= !row.key.is_empty();
                has_target |= !row.target.is_empty();
                if row.of_the_probe {
                    // The order of the targets is that of the load's requests.
                    self.probe_keys.add(row.key);
                    self.targets.add(row.target, Recorded::MOST_REQUESTS)?;
                } else {
                    self.keys.add(row.key);
                    self.targets.add(row.target, row.number)?;
                }
                earliest = earliest.min(row.earliest());
                file.origin = file.origin.min(row.origin.unwrap_or(row.earliest()));
                file.resolution = file.resolution.finer(row.resolution);
                Ok(())
            })?;
            file.rows += rows;
            if rows == 0 {
                break;
            }
            file.earliest.push(earliest);
        }
        if is_own && file.rows == 0 {
            self.parts.add_empty(number);
        }
        let names = &columns.names;
        for (named, has_one) in [(&names.key, has_key), (&names.target, has_target)] {
            if let Some(name) = named.as_ref().filter(|_| file.rows > 0 && !has_one) {
                return Err(format!("no row has a {name}").into());
            }
        }
        let mut rest = u64::MAX;
        for earliest in file.earliest.iter_mut().rev() {
            rest = rest.min(*earliest);
            *earliest = rest;
        }
        Ok(file)
    }

    /// Refuses the first request of a file when it comes again: a run that is read twice seems to admit twice as much.
    fn check_repetition(&mut self, row: &Recorded, is_first: bool) -> Result<(), String> {
        let identity = row.identity();
        if self.firsts.contains(&identity) {
            return Err("this request was read before; give each run only once".to_owned());
        }
        if is_first {
            self.firsts.insert(identity);
        }
        Ok(())
    }

    /// The keys that are audited.
    pub fn keys(&self) -> &KeyNames {
        &self.keys
    }

    /// The keys of the runs' probes. The audit's number of one is twice that of its name.
    pub fn probe_keys(&self) -> &KeyNames {
        &self.probe_keys
    }

    /// The requests of the files' runs that are in none of them, as far as the files say it.
    pub fn gaps(&self) -> Vec<Gap> {
        self.parts.gaps()
    }

    /// Whether processes sent the requests in stripes.
    pub fn has_stripes(&self) -> bool {
        self.parts.has_stripes()
    }

    /// How far the clock of each file's machine may be off. `None` if that does not count, because one clock gave all
    /// instants.
    pub fn clock_errors(&self) -> impl Iterator<Item = Option<Nanos>> {
        self.files.iter().map(|file| file.clock_error.map(Nanos))
    }

    /// The mean time from sent to done, as the rows have it.
    pub fn mean_time(&self) -> Nanos {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let took: u128 = self.files.iter().map(|file| file.took).sum();
        let mean = took / u128::from(rows.max(1));
        Nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The terms for these files: errors of clocks make requests seem longer, some more than others, and where requests are
    /// missing, nobody knows what used up a limit.
    fn adapt(&self, terms: Terms, is_partial: bool) -> Terms {
        let most_off = self.clock_errors().flatten().max().unwrap_or_default();
        let files = self.files.iter().filter(|file| file.rows > 0);
        let widened = files.map(|file| file.resolution.total());
        let (least, most) = widened.fold((u64::MAX, 0), |(least, most), one| {
            (least.min(one), most.max(one))
        });
        Terms {
            timeout: terms.timeout + most_off * 2,
            prior_use: match is_partial {
                true => PriorUse::Anyone,
                false => terms.prior_use,
            },
            uneven: Nanos(most.saturating_sub(least)),
            is_partial,
            ..terms
        }
    }

    /// The instant from which the audit counts its times, if the files count theirs since 1970.
    pub fn started(&self) -> Option<SystemTime> {
        let is_instant = (BY_CALENDAR..u64::MAX).contains(&self.start);
        is_instant.then(|| SystemTime::UNIX_EPOCH + Duration::from_nanos(self.start))
    }

    /// The names of the targets in the order of their first requests.
    pub fn targets(&self) -> Vec<String> {
        self.targets.in_order().0
    }

    /// The meaning of the numbers of each file's requests.
    pub fn numbered_by(&self) -> impl Iterator<Item = NumberedBy> {
        self.files.iter().map(|file| file.layout.numbered_by())
    }

    /// The earliest end of a stripe, if each of them was stopped and nothing else is missing.
    ///
    /// The requests that are in no file were due after the last one of their stripe. The process that sent them began after that
    /// one was stopped, so it sent them later, too, wherever within its error the clock of the stopped one was.
    fn earliest_stop(&self) -> Option<EarliestStop> {
        let stopped = self.parts.stopped_stripes().into_iter();
        let stops = stopped.map(|stripe| {
            let least = self.files[stripe.file].resolution.before;
            EarliestStop {
                at: Nanos(stripe.due.saturating_sub(least).saturating_sub(self.start)),
                stripe,
            }
        });
        stops.min_by_key(|stop| stop.at)
    }

    /// Reads all files once more, for the audit. If all stripes were stopped, it judges the requests up to the earliest of
    /// these stops. Those after it can only prove that more was admitted than promised.
    ///
    /// # Errors
    /// A file is not as it was before.
    pub fn audit(&self, terms: Terms, columns: &Columns) -> Result<Reported, Unreadable> {
        let is_partial = !self.gaps().is_empty();
        let Some(stop) = self.earliest_stop() else {
            return self.audit_until(None, self.adapt(terms, is_partial), columns);
        };
        let judged = self.audit_until(Some(stop), self.adapt(terms.clone(), false), columns)?;
        if judged.report.verdict(true) == AuditVerdict::Broken {
            return Ok(judged);
        }
        let all = self.audit_until(None, self.adapt(terms, true), columns)?;
        let is_broken = all.report.verdict(true) == AuditVerdict::Broken;
        Ok(match is_broken || judged.report.answers.all() == 0 {
            true => all,
            false => judged,
        })
    }

    /// Reads all files once more, and audits the requests before the stop.
    fn audit_until(
        &self,
        stop: Option<EarliestStop>,
        terms: Terms,
        columns: &Columns,
    ) -> Result<Reported, Unreadable> {
        let (targets, places) = self.targets.in_order();
        let mut audit = Audit {
            recording: self,
            auditor: Auditor::new(terms),
            places,
            nodes: Nodes::of_targets(targets.len()),
            until: stop.map_or(Nanos::MAX, |stop| stop.at),
            watermark: Nanos::ZERO,
            added: 0,
            read: 0,
            files: vec![RecordedCounts::default(); self.files.len()],
            by_node: vec![RecordedCounts::default(); targets.len()],
        };
        let mut rest = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let several = self.files.len() > 1;
            let reading = Reading::open(&file.path, columns, several);
            let reading = reading.map_err(|wrong| Unreadable::new(&file.path, wrong))?;
            rest.push(Rest {
                file,
                number,
                reading,
                block: 0,
            });
        }
        // The file whose next rows may have begun first is read on.
        while let Some(next) = rest.iter_mut().min_by_key(|rest| rest.earliest(self.start))
            && next.block < next.file.earliest.len()
        {
            let read = audit.add_block(next);
            read.map_err(|wrong| Unreadable::new(&next.file.path, wrong))?;
            let earliest = rest.iter().map(|rest| rest.earliest(self.start));
            audit.advance(earliest.min().unwrap_or(Nanos::MAX));
        }
        let mut report = audit.auditor.finish().with_nodes(audit.nodes);
        report.share *= self.keys.share();
        Ok(Reported {
            report,
            until: stop,
            files: audit.files,
            nodes: audit.by_node,
        })
    }
}

/// The rest of a file at the second reading.
struct Rest<'a> {
    file: &'a Surveyed,
    /// The file's place among all files.
    number: usize,
    reading: Reading<'a>,
    /// The block that is read next.
    block: usize,
}

impl Rest<'_> {
    /// The earliest time at which a request of the rest may have left.
    fn earliest(&self, start: u64) -> Nanos {
        let earliest = self.file.earliest.get(self.block);
        earliest.map_or(Nanos::MAX, |earliest| {
            let earliest = earliest.saturating_sub(self.file.resolution.before);
            Nanos(earliest.saturating_sub(start))
        })
    }
}

/// The second reading.
struct Audit<'a> {
    recording: &'a Recording,
    auditor: Auditor,
    places: TargetPlaces<'a>,
    nodes: Nodes,
    /// Every request that was sent before is in the files.
    until: Nanos,
    /// No request that is added from now on may have left before.
    watermark: Nanos,
    /// The requests that were added since the auditor last heard of the watermark, and the rows that were read since.
    added: u64,
    read: u64,
    files: Vec<RecordedCounts>,
    by_node: Vec<RecordedCounts>,
}

/// The most requests that are added before the auditor checks its memory, even if the watermark stays.
const MOST_ADDED: u64 = 1 << 18;

/// The fewest rows that are read before the auditor looks at their requests: it looks at all that wait each time.
const FEWEST_READ: u64 = *BLOCK.end();

/// A row is not what the first reading found.
const CHANGED: &str = "it was changed while it was read";

impl Audit<'_> {
    fn add_block(&mut self, rest: &mut Rest) -> Result<(), Wrong> {
        let Rest {
            file,
            number,
            reading,
            block,
        } = rest;
        let most = self.recording.block;
        let expected = (file.rows - *block as u64 * most).min(most);
        let rows = reading.read_block(expected, |row| {
            self.add(row, *number, file.resolution)
                .ok_or_else(|| CHANGED.to_owned())
        })?;
        *block += 1;
        self.read += rows;
        if rows < expected {
            Err(CHANGED.into())
        } else {
            Ok(())
        }
    }

    /// Adds a request; `None` if the first reading did not find it.
    fn add(&mut self, row: &Recorded, file: usize, resolution: Resolution) -> Option<()> {
        let target = self.places.of(row.target)?;
        let node = self.nodes.number(target, row.known_address());
        self.files[file].add(row.outcome, row.of_the_probe);
        let place = node as usize;
        if self.by_node.len() <= place {
            self.by_node.resize(place + 1, RecordedCounts::default());
        }
        self.by_node[place].add(row.outcome, row.of_the_probe);
        let keys = if row.of_the_probe {
            &self.recording.probe_keys
        } else {
            &self.recording.keys
        };
        let Some(key) = keys.id(row.key) else {
            return Some(());
        };
        let sequence = Recorded::numbered(file, row.number);
        let sample = row.sample(sequence, key, target, resolution);
        // A probe's key may have been flooded. Even numbers are those of flooded keys.
        let key = if row.of_the_probe {
            AuditedKey::Probe(key.0.wrapping_mul(2))
        } else {
            AuditedKey::Load(key)
        };
        let start = Moment::at(self.recording.start);
        if let Some(observation) = Observation::of(&sample, node, key, start) {
            if observation.sent < self.watermark {
                return None;
            }
            if self.judges(&observation) {
                self.auditor.add(observation);
                self.added += 1;
            }
        } else if let Some(response) = Response::without_limiter(&sample, node, start) {
            if response.sent < self.watermark {
                return None;
            }
            if response.sent < self.until {
                self.auditor.add_response(response);
                self.added += 1;
            }
        }
        Some(())
    }

    /// Whether a request belongs to those that are judged. A limiter may have blocked one later because of requests that are in
    /// no file.
    fn judges(&self, request: &Observation) -> bool {
        let ends_later = request.done > self.until;
        request.sent < self.until && !(ends_later && request.decision == Decision::Blocked)
    }

    /// No request that is added from now on left before `watermark`.
    fn advance(&mut self, watermark: Nanos) {
        // At the end, `finish` looks at all that is left.
        let is_end = watermark == Nanos::MAX;
        let is_due = watermark > self.watermark && self.read >= FEWEST_READ;
        if !is_end && (is_due || self.added >= MOST_ADDED) {
            self.watermark = watermark;
            (self.added, self.read) = (0, 0);
            self.auditor.advance(watermark);
        }
    }
}

/// A file that is being read.
struct Reading<'a> {
    rows: Rows,
    layout: Layout,
    columns: &'a Columns,
}

impl Reading<'_> {
    fn open<'a>(path: &Path, columns: &'a Columns, several: bool) -> Result<Reading<'a>, Wrong> {
        let mut rows = file::open(path)?;
        let mut names = rows.names();
        if rows.are_ragged() {
            // The first row may lack one that others have.
            names.extend(
                columns
                    .names
                    .all()
                    .filter(|name| !names.contains(name))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let layout = Layout::of(&columns.names, &names, several)?;
        rows.select(layout.columns());
        Ok(Reading {
            rows,
            layout,
            columns,
        })
    }

    /// Reads up to `most` rows. Returns how many there were.
    fn read_block(
        &mut self,
        most: u64,
        mut each: impl FnMut(&Recorded) -> Result<(), String>,
    ) -> Result<u64, Wrong> {
        for read in 0..most {
            let Some((line, cells)) = self.rows.next()? else {
                return Ok(read);
            };
            let row = self.layout.read(&cells, line, &self.columns.answers);
            row.and_then(|row| each(&row))
                .map_err(|why| Wrong::on(line, why))?;
        }
        Ok(most)
    }
}
