use crate::core::stats::{Results, TOLERANCE, Verdict};
use serde::{Deserialize, Serialize};

/// Whether the generator itself did what was asked of it: sent every request that came due, and at least 99 % of them
/// within the tolerance of their due times. If not, the numbers describe the generator as much as the limiter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Schedule {
    pub kept: bool,
    /// The same in a sentence, with what may help.
    pub statement: String,
    pub scheduled: u64,
    pub dropped: u64,
    /// Of those not dropped: sent, or still queued at the end, later than tolerated, connecting aside.
    pub late: u64,
    pub tolerance_ns: u64,
}

impl Schedule {
    pub(super) fn of(results: &Results) -> Schedule {
        let verdict = &results.verdict;
        Schedule {
            kept: verdict.schedule_kept(),
            statement: statement(verdict, results.interrupted),
            scheduled: verdict.scheduled,
            dropped: verdict.dropped,
            late: verdict.late,
            tolerance_ns: TOLERANCE.0,
        }
    }
}

/// What the generator did of its own part, and what may help where it did not do all.
fn statement(verdict: &Verdict, interrupted: bool) -> String {
    let Verdict {
        scheduled,
        dropped,
        late,
    } = *verdict;
    let tolerance = TOLERANCE;
    if scheduled == 0 {
        return "schedule kept: nothing came due".to_owned();
    }
    let queued = scheduled - dropped;
    let share = late as f64 * 100.0 / queued.max(1) as f64;
    if verdict.schedule_kept() {
        let ended = if interrupted {
            " until the run was stopped"
        } else {
            ""
        };
        let late = match late {
            0 => format!("every request on time (within {tolerance})"),
            n => format!("{n} of {scheduled} ({share:.2} %) over {tolerance} late"),
        };
        return format!("schedule kept{ended}: {late}, none dropped");
    }
    let (dropped, remedies) = match dropped {
        0 => (String::new(), "more --workers, or a lower rate,"),
        n => (
            format!("{n} of {scheduled} dropped, "),
            "a longer --queue, more --workers, or a lower rate,",
        ),
    };
    format!(
        "schedule not kept: {dropped}{late} of {queued} ({share:.1} %) over {tolerance} late; \
         {remedies} may keep it"
    )
}
