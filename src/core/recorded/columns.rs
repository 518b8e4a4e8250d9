//! The columns of a file, and how a row is read from them.

use super::instant::{self, Unit, Written};
use super::row::{NumberedBy, Recorded, Resolution};
use crate::base::{FailureKind, Outcome};
use crate::core::answers::Answers;
use crate::core::stripe::Stripe;
use std::borrow::Cow;

/// The columns that the user named, and the units of their numbers. Without any, the columns of `--requests` are read.
#[derive(Debug, Clone, Default)]
pub struct ColumnNames {
    /// The start of a request.
    pub time: Option<String>,
    /// Its end.
    pub done: Option<String>,
    /// The time from its start to its end.
    pub took: Option<String>,
    pub key: Option<String>,
    pub target: Option<String>,
    pub status: Option<String>,
    pub verdict: Option<String>,
    /// All requests have one key, even if there is a column of keys.
    pub one_key: bool,
    /// The unit of `time` and `done`; `None` if their names end with it.
    pub time_unit: Option<Unit>,
    /// The unit of `took`; `None` if its name ends with it.
    pub took_unit: Option<Unit>,
}

/// The columns of `--requests` that are read.
const OWN: [&str; 11] = [
    "sequence",
    "key",
    "target",
    "due_ns",
    "sent_ns",
    "done_ns",
    "service_time_ns",
    "outcome",
    "failure",
    "sent_unix_ns",
    "abandoned_ns",
];

// Their places in a layout.
const SEQUENCE: usize = 0;
const KEY: usize = 1;
const TARGET: usize = 2;
const DUE: usize = 3;
const SENT: usize = 4;
const DONE: usize = 5;
const TOOK: usize = 6;
const OUTCOME: usize = 7;
const FAILURE: usize = 8;
const UNIX: usize = 9;
const ABANDONED: usize = 10;

/// A column of `--requests` that older files do not have. Its place in a layout is behind the others.
const ADDRESS: &str = "address";

/// Likewise: who sent a request.
const SOURCE: &str = "source";

/// Likewise: the stripe, the beginning of its plan's fingerprint, and in the last row the number of rows and the end of the
/// stripe.
const STRIPE: &str = "stripe";
const PLAN: &str = "plan";
const ROWS: &str = "rows";
const ENDED_BY: &str = "ended_by";

/// Likewise: how far the clock of the machine may be off. Logs of other programs may have this column, too.
const CLOCK_ERROR: &str = "clock_error_ns";

/// How the rows of a file are read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The columns that are read. Cells come in this order.
    columns: Vec<String>,
    form: Form,
    /// The place of the column of the clock's error, if the file has it.
    clock_error: Option<usize>,
    /// See [`ColumnNames::one_key`].
    one_key: bool,
}

#[derive(Debug, Clone)]
enum Form {
    /// What `--requests` wrote. `by_clock` is whether the times of whole runs are since 1970, as several runs need it. Those
    /// of stripes always are.
    Own {
        by_clock: bool,
        later: Later,
    },
    Other(Places),
}

/// The places of the columns that older files of `--requests` do not have, if the file has them.
#[derive(Debug, Clone, Copy)]
struct Later {
    address: Option<usize>,
    source: Option<usize>,
    stripe: Option<usize>,
    plan: Option<usize>,
    rows: Option<usize>,
    ended_by: Option<usize>,
}

/// The places of the columns of another log.
#[derive(Debug, Clone)]
struct Places {
    interval: Interval,
    decision: DecidedBy,
    key: Option<usize>,
    target: Option<usize>,
    sequence: Option<usize>,
}

/// A column with its unit.
type Timed = (usize, Unit);

#[derive(Debug, Clone, Copy)]
enum Interval {
    FromTo { time: Timed, done: Timed },
    FromFor { time: Timed, took: Timed },
    For { took: Timed, done: Timed },
}

#[derive(Debug, Clone, Copy)]
enum DecidedBy {
    Status(usize),
    Word(usize),
}

/// The cells of a row, in the order of the layout's columns. Empty and missing cells are `None`.
struct Cells<'a> {
    columns: &'a [String],
    cells: &'a [Option<Cow<'a, str>>],
}

impl ColumnNames {
    /// The columns that the user named.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let ColumnNames {
            time,
            done,
            took,
            key,
            target,
            status,
            verdict,
            ..
        } = self;
        [time, done, took, key, target, status, verdict]
            .into_iter()
            .flatten()
    }

    fn are_of_another_log(&self) -> bool {
        let ColumnNames {
            time,
            done,
            took,
            status,
            verdict,
            ..
        } = self;
        [time, done, took, status, verdict]
            .iter()
            .any(|name| name.is_some())
    }
}

impl Layout {
    /// The layout of a file with these columns. `several` is whether it is one of several files.
    ///
    /// # Errors
    /// A column is missing. The error is a sentence.
    pub fn of(names: &ColumnNames, header: &[&str], several: bool) -> Result<Layout, String> {
        let mut columns = Columns {
            header,
            found: Vec::new(),
        };
        let is_own = OWN.iter().all(|name| header.contains(name));
        let form = if is_own && !names.are_of_another_log() {
            let given = [(KEY, &names.key), (TARGET, &names.target)];
            for (place, own) in OWN.iter().enumerate() {
                let given = given.iter().find(|(other, _)| *other == place);
                let given = given.and_then(|(_, name)| name.as_deref());
                columns.add(given.unwrap_or(own))?;
            }
            Form::Own {
                by_clock: several,
                later: Later {
                    address: columns.find(None, ADDRESS)?,
                    source: columns.find(None, SOURCE)?,
                    stripe: columns.find(None, STRIPE)?,
                    plan: columns.find(None, PLAN)?,
                    rows: columns.find(None, ROWS)?,
                    ended_by: columns.find(None, ENDED_BY)?,
                },
            }
        } else {
            Form::Other(columns.places(names)?)
        };
        let clock_error = columns.find(None, CLOCK_ERROR)?;
        Ok(Layout {
            columns: columns.found,
            form,
            clock_error,
            one_key: names.one_key,
        })
    }

    /// The columns whose cells [`read`](Self::read) takes.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the columns are those of `--requests`.
    pub fn is_own(&self) -> bool {
        matches!(self.form, Form::Own { .. })
    }

    /// Whether the last row says how many there are.
    pub fn counts_rows(&self) -> bool {
        matches!(self.form, Form::Own { later, .. } if later.rows.is_some())
    }

    /// What the numbers of requests are.
    pub fn numbered_by(&self) -> NumberedBy {
        match &self.form {
            Form::Other(Places { sequence: None, .. }) => NumberedBy::Line,
            Form::Own { .. } | Form::Other(_) => NumberedBy::Sequence,
        }
    }

    /// Reads a row, which begins on `line`.
    ///
    /// # Errors
    /// A cell is missing or is not what it has to be. The error is a sentence.
    pub fn read<'a>(
        &'a self,
        cells: &'a [Option<Cow<'a, str>>],
        line: u64,
        answers: &Answers,
    ) -> Result<Recorded<'a>, String> {
        let cells = Cells {
            columns: &self.columns,
            cells,
        };
        let mut row = match &self.form {
            Form::Own { by_clock, later } => own(&cells, *by_clock, later),
            Form::Other(places) => places.read(&cells, line, answers),
        }?;
        row.clock_error = cells.optional_nanos(self.clock_error)?;
        if self.one_key {
            row.key = "";
        }
        Ok(row)
    }
}

/// The columns of a file, and those of them that are needed.
struct Columns<'a> {
    header: &'a [&'a str],
    found: Vec<String>,
}

impl Columns<'_> {
    /// The place among the needed columns of one that must be there.
    fn add(&mut self, name: &str) -> Result<usize, String> {
        match self.header.iter().filter(|other| **other == name).count() {
            0 => return Err(format!("there is no column {name}")),
            1 => {}
            _ => return Err(format!("there are several columns {name}")),
        }
        let place = self.found.iter().position(|other| other == name);
        Ok(place.unwrap_or_else(|| {
            self.found.push(name.to_owned());
            self.found.len() - 1
        }))
    }

    /// The place of the column that the user named, or else of one that loadgen writes, if it is there.
    fn find(&mut self, given: Option<&String>, own: &str) -> Result<Option<usize>, String> {
        match given {
            Some(name) => self.add(name).map(Some),
            None if self.header.contains(&own) => self.add(own).map(Some),
            None => Ok(None),
        }
    }

    fn places(&mut self, names: &ColumnNames) -> Result<Places, String> {
        Ok(Places {
            interval: self.interval(names)?,
            decision: self.decision(names)?,
            key: self.key(names)?,
            target: self.find(names.target.as_ref(), "target")?,
            sequence: self.find(None, "sequence")?,
        })
    }

    /// Requests of many keys that are taken for one would break any limit of a key.
    fn key(&mut self, names: &ColumnNames) -> Result<Option<usize>, String> {
        if names.one_key {
            return Ok(None);
        }
        let missing = "there is no column key: name the column of each request's key with --key, or give --one-key if all \
                       requests share one limit";
        let place = self.find(names.key.as_ref(), "key")?;
        place.map(Some).ok_or_else(|| missing.to_owned())
    }

    fn interval(&mut self, names: &ColumnNames) -> Result<Interval, String> {
        let given = |name: &Option<String>, unit: Option<Unit>| {
            let name = name.clone()?;
            let unit = unit.unwrap_or_else(|| Unit::of_column(&name));
            Some((name, unit))
        };
        let time = given(&names.time, names.time_unit);
        let done = given(&names.done, names.time_unit);
        let took = given(&names.took, names.took_unit);
        let mut timed = |(name, unit): (String, Unit)| Ok::<_, String>((self.add(&name)?, unit));
        match (time, done, took) {
            (Some(_), Some(_), Some(_)) => {
                Err("only two of --time, --done and --took are needed".to_owned())
            }
            (Some(time), Some(done), None) => Ok(Interval::FromTo {
                time: timed(time)?,
                done: timed(done)?,
            }),
            (Some(time), None, Some(took)) => Ok(Interval::FromFor {
                time: timed(time)?,
                took: timed(took)?,
            }),
            (None, Some(done), Some(took)) => Ok(Interval::For {
                took: timed(took)?,
                done: timed(done)?,
            }),
            (None, None, None) if self.header.contains(&"sent_ns") => Ok(Interval::FromTo {
                time: (self.add("sent_ns")?, Unit::Nanoseconds),
                done: (self.add("done_ns")?, Unit::Nanoseconds),
            }),
            _ => Err("name two of the columns of a request's start, end and duration, with --time, --done and \
                      --took"
                .to_owned()),
        }
    }

    fn decision(&mut self, names: &ColumnNames) -> Result<DecidedBy, String> {
        match (&names.status, &names.verdict) {
            (Some(_), Some(_)) => Err("only one of --status and --verdict is needed".to_owned()),
            (Some(name), None) => self.add(name).map(DecidedBy::Status),
            (None, verdict) => {
                let place = self.find(verdict.as_ref(), "outcome")?;
                let missing = "name the column of the HTTP status with --status, or that of the words allowed and \
                               blocked with --verdict";
                place.map(DecidedBy::Word).ok_or_else(|| missing.to_owned())
            }
        }
    }
}

impl<'a> Cells<'a> {
    fn get(&self, place: usize) -> Option<&'a str> {
        self.cells.get(place)?.as_deref()
    }

    /// The sentence that refuses a cell.
    fn refuse(&self, place: usize, why: &str) -> String {
        match self.get(place) {
            None => format!("{} {why}", self.columns[place]),
            Some(text) => {
                let (shown, cut) = match text.char_indices().nth(100) {
                    Some((end, _)) => (&text[..end], "…"),
                    None => (text, ""),
                };
                format!("{} '{shown}{cut}' {why}", self.columns[place])
            }
        }
    }

    fn required(&self, place: usize) -> Result<&'a str, String> {
        self.get(place)
            .ok_or_else(|| self.refuse(place, "is missing"))
    }

    fn instant(&self, (place, unit): Timed) -> Result<Written, String> {
        let written = instant::instant(self.required(place)?, unit);
        written.map_err(|why| self.refuse(place, &why))
    }

    fn duration(&self, (place, unit): Timed) -> Result<Written, String> {
        let written = instant::duration(self.required(place)?, unit);
        written.map_err(|why| self.refuse(place, &why))
    }

    fn whole(&self, place: usize, most: u64) -> Result<u64, String> {
        let number = self.required(place)?.parse().ok();
        let number = number.filter(|number| *number <= most);
        number.ok_or_else(|| self.refuse(place, &format!("is not a whole number up to {most}")))
    }

    fn nanos(&self, place: usize) -> Result<u64, String> {
        self.whole(place, i64::MAX as u64)
    }

    /// A number of nanoseconds that may be missing.
    fn optional_nanos(&self, place: Option<usize>) -> Result<Option<u64>, String> {
        let given = place.filter(|place| self.get(*place).is_some());
        given.map(|place| self.nanos(place)).transpose()
    }

    fn sequence(&self, place: usize) -> Result<u64, String> {
        self.whole(place, Recorded::MOST_REQUESTS)
    }

    /// The stripe of a row, if it is a part of several.
    fn stripe(&self, place: Option<usize>) -> Result<Option<Stripe>, String> {
        let Some((place, text)) = place.and_then(|place| Some((place, self.get(place)?))) else {
            return Ok(None);
        };
        let stripe: Stripe = text
            .parse()
            .map_err(|_| self.refuse(place, "is not a stripe such as 0/4"))?;
        Ok(Some(stripe).filter(|stripe| !stripe.is_whole()))
    }
}

/// Reads a row that `--requests` wrote.
fn own<'a>(cells: &Cells<'a>, by_clock: bool, later: &Later) -> Result<Recorded<'a>, String> {
    let (due, sent, unix) = (cells.nanos(DUE)?, cells.nanos(SENT)?, cells.nanos(UNIX)?);
    let outcome = match cells.required(OUTCOME)? {
        "allowed" => Outcome::Allowed,
        "blocked" => Outcome::Blocked,
        "abandoned" => Outcome::Abandoned,
        "failed" => {
            let name = cells.required(FAILURE)?;
            let kind = FailureKind::ALL
                .into_iter()
                .find(|kind| kind.name() == name);
            Outcome::Failed(kind.ok_or_else(|| cells.refuse(FAILURE, "is no kind of failure"))?)
        }
        _ => return Err(cells.refuse(OUTCOME, "is not allowed, blocked, failed or abandoned")),
    };
    let ended_by = if outcome == Outcome::Abandoned {
        ABANDONED
    } else {
        TOOK
    };
    let transmitted = cells.get(ended_by).is_some();
    let done = match outcome {
        Outcome::Abandoned if transmitted => cells.nanos(ABANDONED)?,
        Outcome::Abandoned => sent,
        _ => cells.nanos(DONE)?,
    };
    if done < sent && outcome != Outcome::Failed(FailureKind::Panic) {
        return Err(cells.refuse(DONE, "is less than sent_ns"));
    }
    let Some(start) = unix.checked_sub(sent) else {
        return Err(cells.refuse(UNIX, "is less than sent_ns"));
    };
    let stripe = cells.stripe(later.stripe)?;
    let origin = if by_clock || stripe.is_some() {
        start
    } else {
        0
    };
    let of_the_probe = match later
        .source
        .and_then(|place| Some((place, cells.get(place)?)))
    {
        None | Some((_, "load")) => false,
        Some((_, "probe")) => true,
        Some((place, _)) => return Err(cells.refuse(place, "is not load or probe")),
    };
    let number = cells.sequence(SEQUENCE)?;
    let is_its_own = |stripe: &Stripe| of_the_probe || number % stripe.of() == stripe.index();
    if let Some(stripe) = stripe.filter(|stripe| !is_its_own(stripe)) {
        return Err(cells.refuse(SEQUENCE, &format!("is not a request of stripe {stripe}")));
    }
    let rows = later.rows.filter(|place| cells.get(*place).is_some());
    let ended_by = later
        .ended_by
        .and_then(|place| Some((place, cells.get(place)?)));
    let is_to_end = match ended_by {
        None => None,
        Some((_, "schedule")) => Some(true),
        Some((_, "stop")) => Some(false),
        Some((place, _)) => return Err(cells.refuse(place, "is not schedule or stop")),
    };
    let cell = |place: Option<usize>| place.and_then(|place| cells.get(place));
    Ok(Recorded {
        number,
        key: cells.get(KEY).unwrap_or_default(),
        target: cells.get(TARGET).unwrap_or_default(),
        address: cell(later.address).unwrap_or_default(),
        of_the_probe,
        stripe,
        plan: cell(later.plan).unwrap_or_default(),
        clock_error: None,
        rows: rows
            .map(|place| cells.whole(place, Recorded::MOST_REQUESTS))
            .transpose()?,
        is_to_end,
        origin: Some(origin),
        due: origin.saturating_add(due),
        sent: origin.saturating_add(sent),
        done: origin.saturating_add(done),
        transmitted,
        outcome,
        resolution: Resolution::EXACT,
    })
}

impl Places {
    fn read<'a>(
        &self,
        cells: &Cells<'a>,
        line: u64,
        answers: &Answers,
    ) -> Result<Recorded<'a>, String> {
        let outcome = self.decision.outcome(cells, answers)?;
        let (sent, done, resolution) = self.interval.read(cells, outcome)?;
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place));
        let number = match self.sequence {
            Some(place) => cells.sequence(place)?,
            None => line.min(Recorded::MOST_REQUESTS),
        };
        Ok(Recorded {
            number,
            key: cell(self.key).unwrap_or_default(),
            target: cell(self.target).unwrap_or_default(),
            address: "",
            of_the_probe: false,
            stripe: None,
            plan: "",
            clock_error: None,
            rows: None,
            is_to_end: None,
            origin: None,
            due: sent,
            sent,
            done,
            transmitted: true,
            outcome,
            resolution,
        })
    }
}

impl Interval {
    /// The start and the end of a request, and by how much they may be off. A request that was not answered may lack an
    /// end.
    fn read(self, cells: &Cells, outcome: Outcome) -> Result<(u64, u64, Resolution), String> {
        let is_endless = matches!(outcome, Outcome::Abandoned);
        let has = |(place, _): Timed| cells.get(place).is_some();
        match self {
            Interval::FromTo { time, done } => {
                let from = cells.instant(time)?;
                let to = match has(done) {
                    false if is_endless => from,
                    _ => cells.instant(done)?,
                };
                if to.nanos < from.nanos {
                    return Err(cells.refuse(done.0, "is before the request's start"));
                }
                Ok((
                    from.nanos,
                    to.nanos,
                    Resolution {
                        before: from.step,
                        after: to.step,
                    },
                ))
            }
            Interval::FromFor { time, took } => {
                let from = cells.instant(time)?;
                let took = match has(took) {
                    false if is_endless => Written { nanos: 0, step: 0 },
                    _ => cells.duration(took)?,
                };
                let after = from.step + took.step;
                let resolution = Resolution {
                    before: from.step,
                    after,
                };
                Ok((
                    from.nanos,
                    from.nanos.saturating_add(took.nanos),
                    resolution,
                ))
            }
            Interval::For { took, done } => {
                let (to, took_for) = (cells.instant(done)?, cells.duration(took)?);
                let Some(from) = to.nanos.checked_sub(took_for.nanos) else {
                    return Err(
                        cells.refuse(took.0, "is more than the time before the request's end")
                    );
                };
                let before = to.step + took_for.step;
                Ok((
                    from,
                    to.nanos,
                    Resolution {
                        before,
                        after: to.step,
                    },
                ))
            }
        }
    }
}

impl DecidedBy {
    fn outcome(self, cells: &Cells, answers: &Answers) -> Result<Outcome, String> {
        match self {
            DecidedBy::Status(place) => match cells.get(place) {
                // Proxies write these for a request without an answer.
                None | Some("-" | "0" | "000") => Ok(Outcome::Abandoned),
                Some(text) => {
                    let status = text
                        .parse()
                        .ok()
                        .and_then(|status| answers.by_status(status));
                    status.ok_or_else(|| cells.refuse(place, "is not a status from 100 to 999"))
                }
            },
            DecidedBy::Word(place) => match cells.required(place)?.to_ascii_lowercase().as_str() {
                "allowed" | "true" => Ok(Outcome::Allowed),
                "blocked" | "false" => Ok(Outcome::Blocked),
                "failed" => Ok(Outcome::Failed(FailureKind::StatusOther)),
                "unanswered" | "abandoned" => Ok(Outcome::Abandoned),
                _ => Err(cells.refuse(place, "is not allowed, blocked, failed or unanswered")),
            },
        }
    }
}
