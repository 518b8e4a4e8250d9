//! The runs and the stripes that files of `--requests` have, and what is missing of them.

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
}

/// What a row is a part of: the whole run of a file, or a stripe, which several files may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Run { file: usize },
    Stripe(Stripe),
}

#[derive(Debug)]
struct Part {
    place: Place,
    /// The file of its first row.
    file: usize,
    rows: u64,
    /// The number of rows that belong to it. `None` if no row said it.
    expected: Option<u64>,
    /// Whether one of its rows should say it.
    is_counted: bool,
    /// The lowest number of a request of the load.
    first: u64,
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
    /// Nothing is there of these stripes, in order.
    Stripes { missing: Vec<u64>, of: u64 },
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
        if !row.of_the_probe {
            part.first = part.first.min(row.number);
        }
        if let Some(rows) = row.rows {
            if part.expected.is_some() {
                return Err(match place {
                    Place::Stripe(stripe) => format!(
                        "stripe {stripe} ends here, and has ended before; give the file of one process for each stripe"
                    ),
                    Place::Run { .. } => {
                        "the run ends here, and has ended before; give each run only once"
                            .to_owned()
                    }
                });
            }
            part.expected = Some(rows);
        }
        Ok(())
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
                first: u64::MAX,
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
            Some((part, expected))
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
                gaps.push(Gap::Stripes { missing, of: *of });
            }
        }
        // In the order of the stripes, and of the files.
        let order = |part: &&Part| match part.place {
            Place::Stripe(stripe) => (0, stripe.index(), part.file),
            Place::Run { file } => (1, 0, file),
        };
        let parts: BTreeMap<_, _> = self.parts.iter().map(|part| (order(&part), part)).collect();
        for part in parts.into_values() {
            let stripe = match part.place {
                Place::Stripe(stripe) => Some(stripe),
                Place::Run { .. } => None,
            };
            if part.is_counted && part.expected != Some(part.rows) {
                gaps.push(Gap::Rows {
                    file: part.file,
                    stripe,
                    rows: part.rows,
                    expected: part.expected,
                });
            }
            if let Some(stripe) = stripe.filter(|stripe| part.first != stripe.index()) {
                let first = part.first;
                gaps.push(Gap::Beginning { stripe, first });
            }
        }
        gaps
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
            Gap::Stripes { missing, of } if missing.len() == 1 => {
                format!("stripe {}/{of} is missing", missing[0])
            }
            Gap::Stripes { missing, of } => {
                let listed = missing.iter().take(LISTED).map(u64::to_string);
                let mut listed: Vec<_> = listed.collect();
                if missing.len() > LISTED {
                    listed.push("…".to_owned());
                }
                format!(
                    "{} of {of} stripes are missing: {}",
                    missing.len(),
                    listed.join(", ")
                )
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
        }
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
            origin: Some(7),
            due: 0,
            sent: 0,
            done: 0,
            transmitted: true,
            outcome: Outcome::Allowed,
            resolution: Resolution::EXACT,
        }
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
                vec![(1, row("0/1", "", 3, None))],
                "b.csv ends early, before the row that says how many there are",
            ),
        ] {
            assert_eq!(gaps(&rows), Ok(vec![gap.to_owned()]));
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
                    (1, row("0/2", "p", 2, Some(1))),
                ],
                "has ended before",
            ),
            (
                vec![
                    (0, row("0/2", "p", 0, Some(1))),
                    (1, row("0/2", "p", 2, None)),
                ],
                "there are 2 rows of stripe 0/2",
            ),
        ] {
            let refused = gaps(&rows).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
