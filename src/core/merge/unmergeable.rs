use std::fmt;

/// A summary that can't be merged with those before. It displays as the end of a sentence that begins with its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmergeable {
    /// The name of its file.
    pub file: String,
    pub why: Why,
}

/// The reason why a summary can't be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is that of a whole run.
    Whole,
    /// It was merged already.
    Merged,
    /// There was this stripe before.
    Twice { index: u64, of: u64, other: String },
    /// The plan is another. The options in which it differs are as they are typed.
    OtherPlan {
        other: String,
        differing: Vec<String>,
    },
    /// The schedule has another number of stripes.
    OtherNumber { other: String, of: u64, others: u64 },
    /// The stripes did not start at once.
    OtherStart {
        other: String,
        start: String,
        others: String,
    },
    /// A field has a value that no stripe writes.
    Malformed { name: String, why: String },
}

/// The most options that are named.
const NAMED: usize = 5;

impl Unmergeable {
    pub(super) fn new(file: &str, why: Why) -> Unmergeable {
        Unmergeable {
            file: file.to_owned(),
            why,
        }
    }
}

impl Why {
    pub(super) fn malformed(name: &str, why: &str) -> Why {
        Why::Malformed {
            name: name.to_owned(),
            why: why.to_owned(),
        }
    }
}

impl fmt::Display for Unmergeable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.why {
            Why::Whole => f.write_str(
                "must be the summary of a stripe, by --stripe I/N; this is that of a whole run",
            ),
            Why::Merged => f.write_str(
                "must be the summary of a stripe, by --stripe I/N; this one was merged already",
            ),
            Why::Twice { index, of, other } => write!(
                f,
                "is stripe {index} of {of}, as '{other}' is. Give each stripe once"
            ),
            Why::OtherPlan { other, differing } if differing.is_empty() => write!(
                f,
                "must be of the same plan as '{other}'; the content of a file that its options name differs; secrets are not compared"
            ),
            Why::OtherPlan { other, differing } => {
                let named = differing.iter().take(NAMED).cloned().collect::<Vec<_>>();
                let more = match differing.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let verb = if differing.len() == 1 {
                    "differs"
                } else {
                    "differ"
                };
                write!(
                    f,
                    "must be of the same plan as '{other}'; {}{more} {verb}",
                    named.join(", ")
                )
            }
            Why::OtherNumber { other, of, others } => write!(
                f,
                "must be one of {others} stripes, as '{other}' is; it is one of {of}"
            ),
            Why::OtherStart {
                other,
                start,
                others,
            } => write!(
                f,
                "must have started at {others}, as '{other}' did; it started at {start}, so it is of another run"
            ),
            Why::Malformed { name, why } => {
                write!(f, "must be the summary of a stripe; its {name} {why}")
            }
        }
    }
}
