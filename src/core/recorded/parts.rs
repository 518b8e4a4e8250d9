//! The runs and the stripes that files of `--requests` have, and what is missing of them.

use super::number_set::NumberSet;
use super::row::Recorded;
use crate::base::Nanos;
use crate::base::text::span;
use crate::core::stripe::Stripe;
use std::collections::{BTreeMap, HashMap};

/// The requests of whole runs and of stripes, as far as files have them.
#[derive(Debug, Default)]
pub struct Parts {
    /// By their places in `places`.
    parts: Vec<Part>,
    places: HashMap<Place, usize>,
    /// The file and the part of the latest row, and the part's number.
    latest: Option<((usize, Place), usize)>,
    /// What all stripes have in common.
    common: Option<Common>,
    /// The files of `--requests` that have no row.
    empty_files: Vec<usize>,
}

/// What a row is a part of: the whole run of a file, or a stripe, which several files may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Run { file: usize },
    Stripe(Stripe),
}

/// A run or a stripe. A stripe may have been sent by several processes, one after another.
#[derive(Debug)]
struct Part {
    place: Place,
    /// The file of its first row.
    file: usize,
    rows: u64,
    /// The number of rows that belong to it, of all processes whose last row is there. `None` if no row said it.
    expected: Option<u64>,
    /// Whether one of its rows should say it.
    is_counted: bool,
    /// Whether some process sent the stripe to the end of the schedule. `None` if no row said it.
    is_to_end: Option<bool>,
    /// The places in the stripe of the requests of the load, and the numbers of those of the probe.
    numbers: [NumberSet; 2],
    /// The requests of the load of each process, as far as files and last rows tell processes apart.
    spans: Vec<Span>,
}

/// The first and the last request of a process, by their numbers.
#[derive(Debug, Clone, Copy)]
struct Span {
    file: usize,
    first: u64,
    last: u64,
    /// When the last one was due.
    last_due: u64,
    /// Whether the process' last row has been read.
    has_ended: bool,
}

/// What the stripes of one run have in common.
#[derive(Debug)]
struct Common {
    of: u64,
    plan: String,
    start: u64,
}

/// How far the starts of one run's stripes may be apart, in nanoseconds. They are one instant, but a program that converted
/// a file may have rounded it.
const SAME_START: u64 = 1_000_000;

/// Requests of a run that are in no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// Nothing is there of these stripes, in order. `empty` are files without a row, which may be theirs.
    Stripes {
        missing: Vec<u64>,
        of: u64,
        empty: Vec<usize>,
    },
    /// `rows` of `expected` requests are there. Without `expected`, the last row is missing, which would say it. `file` has
    /// the first of them.
    Rows {
        file: usize,
        stripe: Option<Stripe>,
        rows: u64,
        expected: Option<u64>,
    },
    /// The requests of a stripe begin with this one, though another process may have sent those before.
    Beginning { stripe: Stripe, first: u64 },
    /// Between these two requests of a stripe, one process ended and another one began.
    Between {
        stripe: Stripe,
        before: u64,
        after: u64,
    },
    /// The last process of a stripe was stopped after this request.
    Stopped { stripe: Stripe, last: u64 },
}

/// The end of a stripe whose last process was stopped. Another process may have sent the requests that were due later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoppedStripe {
    pub stripe: Stripe,
    /// The number of the last request that is there, and its file.
    pub last: u64,
    pub file: usize,
    /// When that request was due, in nanoseconds by the clock of its machine.
    pub due: u64,
}

/// The most stripes that a sentence lists.
const LISTED: usize = 10;

impl Parts {
    /// Takes in a row of `--requests`. `is_counted` is whether the last row of its file says how many there are.
    ///
    /// # Errors
    /// The row does not belong to the others. The error is a sentence.
    pub fn add(&mut self, file: usize, row: &Recorded, is_counted: bool) -> Result<(), String> {
        let place = match row.stripe {
            Some(stripe) => Place::Stripe(stripe),
            None => Place::Run { file },
        };
        let number = match self.latest {
            Some((latest, number)) if latest == (file, place) => number,
            _ => self.place(place, file, row)?,
        };
        self.latest = Some(((file, place), number));
        let part = &mut self.parts[number];
        part.rows += 1;
        part.is_counted |= is_counted;
        part.check_number(row)?;
        if !row.of_the_probe {
            part.span(file, row).add(row);
        }
        if let Some(rows) = row.rows {
            if part.expected.is_some() && matches!(place, Place::Run { .. }) {
                let why = "the run ends here, and has ended before; give each run only once";
                return Err(why.to_owned());
            }
            part.expected = Some(part.expected.unwrap_or(0).saturating_add(rows));
            part.is_to_end = part.is_to_end.max(row.is_to_end);
            if let Some(span) = part.spans.last_mut() {
                span.has_ended = true;
            }
        }
        Ok(())
    }

    /// Takes in a file of `--requests` without a row.
    pub fn add_empty(&mut self, file: usize) {
        self.empty_files.push(file);
    }

    /// The number of a part, which may be a new one.
    fn place(&mut self, place: Place, file: usize, row: &Recorded) -> Result<usize, String> {
        if let Place::Stripe(stripe) = place {
            self.check_common(stripe, row)?;
        }
        let next = self.parts.len();
        let number = *self.places.entry(place).or_insert(next);
        if number == next {
            self.parts.push(Part {
                place,
                file,
                rows: 0,
                expected: None,
                is_counted: false,
                is_to_end: None,
                numbers: Default::default(),
                spans: Vec::new(),
            });
        }
        Ok(number)
    }

    /// Refuses a stripe of another run than that of the stripes before.
    fn check_common(&mut self, stripe: Stripe, row: &Recorded) -> Result<(), String> {
        let start = row.origin.unwrap_or(0);
        let Some(common) = &self.common else {
            self.common = Some(Common {
                of: stripe.of(),
                plan: row.plan.to_owned(),
                start,
            });
            return Ok(());
        };
        if common.of != stripe.of() {
            return Err(format!(
                "stripe {stripe} does not belong to the rows before, which have stripes of {}",
                common.of
            ));
        }
        if common.plan != row.plan {
            return Err(format!(
                "stripe {stripe} is of plan '{}', and the rows before are of plan '{}': stripes of different plans do not \
                 belong together",
                row.plan, common.plan
            ));
        }
        let apart = common.start.abs_diff(start);
        if apart > SAME_START {
            let order = if start > common.start {
                "later"
            } else {
                "earlier"
            };
            return Err(format!(
                "stripe {stripe} is of a run that started {} {order} than that of the rows before: stripes of different runs \
                 do not belong together",
                span(Nanos(apart))
            ));
        }
        Ok(())
    }

    /// Whether a row is of a stripe.
    pub fn has_stripes(&self) -> bool {
        self.common.is_some()
    }

    /// Whether the rows are of several machines, even if they are in one file.
    pub fn has_several_stripes(&self) -> bool {
        let stripes = self.parts.iter();
        stripes
            .filter(|part| matches!(part.place, Place::Stripe(_)))
            .nth(1)
            .is_some()
    }

    /// The file and the sentence of a part that has more rows than its last one says.
    pub fn surplus(&self) -> Option<(usize, String)> {
        let too_many = self.parts.iter().find_map(|part| {
            let expected = part.expected.filter(|expected| part.rows > *expected)?;
            // Other rows of a stripe are those of a process whose last row is missing.
            (!part.are_rows_distinct()).then_some((part, expected))
        });
        too_many.map(|(part, expected)| {
            let of = match part.place {
                Place::Run { .. } => String::new(),
                Place::Stripe(stripe) => format!(" of stripe {stripe}"),
            };
            let why = format!(
                "there are {} rows{of}, and the last one says that there are {expected}; give each run only once",
                part.rows
            );
            (part.file, why)
        })
    }

    /// The requests that are in no file, as far as the files say it.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if let Some(Common { of, .. }) = &self.common {
            let missing = (0..*of).filter(|index| {
                let stripe = Stripe::new(*index, *of).map(Place::Stripe);
                stripe.is_none_or(|place| !self.places.contains_key(&place))
            });
            let missing: Vec<_> = missing.collect();
            if !missing.is_empty() {
                let empty = self.empty_files.clone();
                gaps.push(Gap::Stripes {
                    missing,
                    of: *of,
                    empty,
                });
            }
        }
        // In the order of the stripes, and of the files.
        let order = |part: &&Part| match part.place {
            Place::Stripe(stripe) => (0, stripe.index(), part.file),
            Place::Run { file } => (1, 0, file),
        };
        let parts: BTreeMap<_, _> = self.parts.iter().map(|part| (order(&part), part)).collect();
        for part in parts.into_values() {
            gaps.extend(part.gaps());
        }
        gaps
    }

    /// The ends of all stripes, if each of them was stopped and nothing else is missing: then the requests that were due before
    /// the earliest of these ends are all there. Empty otherwise. A stop is the only end of a schedule without an end.
    pub fn stopped_stripes(&self) -> Vec<StoppedStripe> {
        let stopped = self.parts.iter().filter_map(Part::stopped);
        let stopped: Vec<_> = stopped.collect();
        let is_stop = |gap: &Gap| matches!(gap, Gap::Stopped { .. });
        match stopped.len() == self.parts.len() && self.gaps().iter().all(is_stop) {
            true => stopped,
            false => Vec::new(),
        }
    }
}

impl Part {
    fn stripe(&self) -> Option<Stripe> {
        match self.place {
            Place::Stripe(stripe) => Some(stripe),
            Place::Run { .. } => None,
        }
    }

    /// Refuses a request that came before. Only files that say how many rows they have surely number each request once.
    fn check_number(&mut self, row: &Recorded) -> Result<(), String> {
        if !self.is_counted {
            return Ok(());
        }
        let (stripe, number) = (self.stripe(), row.number);
        let (numbers, number_or_place) = match (row.of_the_probe, stripe) {
            (true, _) => (&mut self.numbers[1], number),
            (false, None) => (&mut self.numbers[0], number),
            (false, Some(stripe)) => (&mut self.numbers[0], number / stripe.of()),
        };
        if numbers.add(number_or_place) {
            return Ok(());
        }
        Err(match stripe {
            None => format!(
                "request {number} was read before; give each run only once, and in a file of its own"
            ),
            Some(stripe) => format!(
                "request {number} of stripe {stripe} was read before; give each file only once, and only processes that sent \
                 different requests"
            ),
        })
    }

    /// Whether the part can't have more rows than its last ones say because some are there twice.
    fn are_rows_distinct(&self) -> bool {
        let are_whole = self.numbers.iter().all(NumberSet::is_whole);
        self.stripe().is_some() && are_whole
    }

    /// The span of the process that sent a request of this number. It may be a new one.
    fn span(&mut self, file: usize, row: &Recorded) -> &mut Span {
        let is_its_own = |span: &Span| span.file == file && !span.has_ended;
        if !self.spans.last().is_some_and(is_its_own) {
            self.spans.push(Span {
                file,
                first: row.number,
                last: row.number,
                last_due: row.due,
                has_ended: false,
            });
        }
        self.spans.last_mut().expect("a span was added")
    }

    fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let expected = self.expected.filter(|expected| self.rows <= *expected);
        if self.is_counted && expected != Some(self.rows) {
            gaps.push(Gap::Rows {
                file: self.file,
                stripe: self.stripe(),
                rows: self.rows,
                expected,
            });
        }
        let Some(stripe) = self.stripe() else {
            return gaps;
        };
        let mut spans = self.spans.clone();
        spans.sort_by_key(|span| span.first);
        let Some(first) = spans.first() else {
            return gaps;
        };
        if first.first != stripe.index() {
            let first = first.first;
            gaps.push(Gap::Beginning { stripe, first });
        }
        let mut before = first.last;
        for span in &spans {
            let after = span.first;
            if after > before.saturating_add(stripe.of()) {
                gaps.push(Gap::Between {
                    stripe,
                    before,
                    after,
                });
            }
            before = before.max(span.last);
        }
        if let Some(StoppedStripe { last, .. }) = self.stopped() {
            gaps.push(Gap::Stopped { stripe, last });
        }
        gaps
    }

    /// The end of a stripe whose last process was stopped.
    fn stopped(&self) -> Option<StoppedStripe> {
        let has_all_last_rows = self.expected.is_some_and(|expected| self.rows <= expected);
        let stripe = self
            .stripe()
            .filter(|_| has_all_last_rows && self.is_to_end == Some(false))?;
        let end = self.spans.iter().max_by_key(|span| span.last)?;
        Some(StoppedStripe {
            stripe,
            last: end.last,
            file: end.file,
            due: end.last_due,
        })
    }
}

impl Span {
    fn add(&mut self, row: &Recorded) {
        self.first = self.first.min(row.number);
        if row.number >= self.last {
            (self.last, self.last_due) = (row.number, row.due);
        }
    }
}

impl Gap {
    /// What is missing, as the beginning of a sentence without a full stop. `files` are the names of the files.
    pub fn describe(&self, files: &[String]) -> String {
        let whose = |file: &usize, stripe: &Option<Stripe>| match stripe {
            Some(stripe) => format!("stripe {stripe}"),
            None => files.get(*file).cloned().unwrap_or_default(),
        };
        match self {
            Gap::Stripes { missing, of, empty } if missing.len() == 1 => {
                let it = format!("stripe {}/{of} is missing", missing[0]);
                it + &maybe_theirs(empty, files)
            }
            Gap::Stripes { missing, of, empty } => {
                let listed = missing.iter().take(LISTED).map(u64::to_string);
                let mut listed: Vec<_> = listed.collect();
                if missing.len() > LISTED {
                    listed.push("…".to_owned());
                }
                let they = format!(
                    "{} of {of} stripes are missing: {}",
                    missing.len(),
                    listed.join(", ")
                );
                they + &maybe_theirs(empty, files)
            }
            Gap::Rows {
                file,
                stripe,
                rows,
                expected: Some(expected),
            } => format!(
                "{} has {rows} of the {expected} requests that its process sent",
                whose(file, stripe)
            ),
            Gap::Rows { file, stripe, .. } => format!(
                "{} ends early, before the row that says how many there are",
                whose(file, stripe)
            ),
            Gap::Beginning { stripe, first } => format!(
                "stripe {stripe} begins with request {first}, and another process may have sent those before"
            ),
            Gap::Between {
                stripe,
                before,
                after,
            } => format!(
                "stripe {stripe} has a process that ends with request {before} and one that begins with request {after}, and \
                 another one may have sent those between"
            ),
            Gap::Stopped { stripe, last } => format!(
                "stripe {stripe} was stopped after request {last}, and another process may have sent those after it"
            ),
        }
    }
}

/// Says of files without a row that they may be those of missing stripes.
fn maybe_theirs(empty: &[usize], files: &[String]) -> String {
    let names = empty.iter().filter_map(|file| files.get(*file));
    let names: Vec<_> = names.take(LISTED).map(String::as_str).collect();
    match (&names[..], empty.len()) {
        ([], _) => String::new(),
        ([one], 1) => format!(" ({one} has no request, and may be its file)"),
        (_, many) if many > names.len() => {
            format!(
                " ({}, … have no request, and may be their files)",
                names.join(", ")
            )
        }
        _ => format!(
            " ({} have no request, and may be their files)",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Resolution;
    use super::*;
    use crate::base::Outcome;

    fn row(stripe: &str, plan: &'static str, number: u64, rows: Option<u64>) -> Recorded<'static> {
        let stripe: Stripe = stripe.parse().unwrap();
        Recorded {
            number,
            key: "",
            target: "",
            address: "",
            of_the_probe: false,
            stripe: Some(stripe).filter(|stripe| !stripe.is_whole()),
            plan,
            clock_error: None,
            rows,
            is_to_end: rows.map(|_| true),
            origin: Some(7),
            due: 0,
            sent: 0,
            done: 0,
            transmitted: true,
            outcome: Outcome::Allowed,
            resolution: Resolution::EXACT,
        }
    }

    fn stopped(row: Recorded) -> Recorded {
        Recorded {
            is_to_end: Some(false),
            ..row
        }
    }

    #[test]
    fn a_stripe_that_another_process_continues_is_complete() {
        let first = || (0, stopped(row("0/2", "p", 2, Some(2))));
        let second = || (1, row("0/2", "p", 4, Some(1)));
        let other = || (1, row("1/2", "p", 1, Some(1)));
        let begins = || (0, row("0/2", "p", 0, None));
        for rows in [
            [begins(), first(), second(), other()],
            [other(), second(), begins(), first()],
        ] {
            assert_eq!(gaps(&rows), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_file_without_a_request_may_be_that_of_a_missing_stripe() {
        let names = ["a.csv", "b.csv", "c.csv"].map(str::to_owned);
        let missing = |of, empty| {
            let mut parts = Parts::default();
            let stripe = format!("0/{of}");
            parts.add(0, &row(&stripe, "p", 0, Some(1)), true).unwrap();
            for file in 0..empty {
                parts.add_empty(file + 1);
            }
            let gaps = parts.gaps();
            gaps.iter()
                .map(|gap| gap.describe(&names))
                .collect::<Vec<_>>()
        };
        let one = "stripe 1/2 is missing (b.csv has no request, and may be its file)";
        assert_eq!(missing(2, 1), [one]);
        let two = "2 of 3 stripes are missing: 1, 2 (b.csv, c.csv have no request, and may be their files)";
        assert_eq!(missing(3, 2), [two]);
        assert_eq!(missing(1, 1), [""; 0]);
    }

    /// The gaps of these rows, each with its file.
    fn gaps(rows: &[(usize, Recorded)]) -> Result<Vec<String>, String> {
        let mut parts = Parts::default();
        for (file, row) in rows {
            parts.add(*file, row, true)?;
        }
        let names = ["a.csv", "b.csv"].map(str::to_owned);
        if let Some((_, why)) = parts.surplus() {
            return Err(why);
        }
        let gaps = parts.gaps();
        Ok(gaps.iter().map(|gap| gap.describe(&names)).collect())
    }

    #[test]
    fn a_run_without_gaps_has_each_stripe_from_its_first_request_to_its_last_row() {
        let rows = [
            (0, row("0/2", "p", 0, None)),
            (1, row("1/2", "p", 1, Some(1))),
            (0, row("0/2", "p", 2, Some(2))),
        ];
        assert_eq!(gaps(&rows), Ok(Vec::new()));
        let whole = [
            (0, row("0/1", "", 5, None)),
            (0, row("0/1", "", 1, Some(2))),
        ];
        assert_eq!(gaps(&whole), Ok(Vec::new()));
    }

    #[test]
    fn requests_that_are_in_no_file_are_named() {
        for (rows, gap) in [
            (
                vec![(0, row("0/2", "p", 0, Some(1)))],
                "stripe 1/2 is missing",
            ),
            (
                vec![(0, row("1/4", "p", 1, Some(1)))],
                "3 of 4 stripes are missing: 0, 2, 3",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(2))),
                    (1, row("1/2", "p", 1, Some(1))),
                ],
                "stripe 0/2 has 1 of the 2 requests that its process sent",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, None)),
                    (1, row("1/2", "p", 1, Some(1))),
                ],
                "stripe 0/2 ends early, before the row that says how many there are",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(1))),
                    (1, row("1/2", "p", 9, Some(1))),
                ],
                "stripe 1/2 begins with request 9, and another process may have sent those before",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(1))),
                    (1, stopped(row("1/2", "p", 1, Some(1)))),
                ],
                "stripe 1/2 was stopped after request 1, and another process may have sent those after it",
            ),
            (
                vec![
                    (0, row("0/1", "", 0, None)),
                    (0, row("0/2", "p", 0, None)),
                    (0, stopped(row("0/2", "p", 2, Some(2)))),
                    (0, row("0/2", "p", 8, Some(1))),
                    (0, row("1/2", "p", 1, Some(1))),
                    (0, row("0/1", "", 1, Some(2))),
                ],
                "stripe 0/2 has a process that ends with request 2 and one that begins with request 8, and another one may have \
                 sent those between",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(1))),
                    (0, row("1/2", "p", 1, Some(1))),
                    // The last row of its process is missing.
                    (1, row("0/2", "p", 2, None)),
                ],
                "stripe 0/2 ends early, before the row that says how many there are",
            ),
            (
                vec![(1, row("0/1", "", 3, None))],
                "b.csv ends early, before the row that says how many there are",
            ),
        ] {
            assert_eq!(gaps(&rows), Ok(vec![gap.to_owned()]));
        }
    }

    #[test]
    fn only_if_all_stripes_were_stopped_are_all_requests_before_the_stops_there() {
        let ends = |rows: &[(usize, Recorded)]| {
            let mut parts = Parts::default();
            for (file, row) in rows {
                parts.add(*file, row, true).unwrap();
            }
            let stopped = parts.stopped_stripes().into_iter();
            stopped
                .map(|end| (end.stripe.index(), end.last, end.due))
                .collect::<Vec<_>>()
        };
        let end = |stripe, number| Recorded {
            due: number * 10,
            ..stopped(row(stripe, "p", number, Some(1)))
        };
        let first = (0, end("0/2", 0));
        assert_eq!(ends(&[first, (1, end("1/2", 1))]), [(0, 0, 0), (1, 1, 10)]);
        let goes_on = [first, (1, end("1/2", 1)), (2, end("0/2", 2))];
        assert_eq!(ends(&goes_on), [(0, 2, 20), (1, 1, 10)]);
        for others in [
            vec![],
            vec![(1, row("1/2", "p", 1, Some(1)))],
            vec![(1, row("1/2", "p", 1, None))],
            vec![(1, end("1/2", 3))],
            vec![(1, end("1/2", 1)), (2, end("0/2", 4))],
            vec![(1, end("1/2", 1)), (2, row("0/1", "", 0, Some(1)))],
        ] {
            let rows = [vec![first], others].concat();
            assert_eq!(ends(&rows), [], "{rows:?}");
        }
    }

    #[test]
    fn rows_of_different_runs_are_refused() {
        let first = || (0, row("0/2", "p", 0, None));
        let later = Recorded {
            origin: Some(60_000_000_007),
            ..row("1/2", "p", 1, None)
        };
        for (rows, why) in [
            (
                vec![first(), (1, row("1/2", "q", 1, None))],
                "different plans",
            ),
            (vec![first(), (1, later)], "started 60.0 s later"),
            (vec![first(), (1, row("1/3", "p", 1, None))], "stripes of 2"),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(1))),
                    (1, row("0/2", "p", 0, Some(1))),
                ],
                "request 0 of stripe 0/2 was read before",
            ),
            // One is lost, and another one is there twice.
            (
                vec![
                    (0, row("0/1", "", 0, None)),
                    (0, row("0/1", "", 2, None)),
                    (0, row("0/1", "", 2, Some(3))),
                ],
                "request 2 was read before",
            ),
            (
                vec![
                    (0, row("0/1", "", 0, Some(1))),
                    (0, row("0/1", "", 1, Some(1))),
                ],
                "the run ends here, and has ended before",
            ),
            (
                vec![
                    (0, row("0/1", "", 0, Some(1))),
                    (0, row("0/1", "", 1, None)),
                ],
                "there are 2 rows",
            ),
        ] {
            let refused = gaps(&rows).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
