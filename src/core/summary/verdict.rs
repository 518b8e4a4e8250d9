use crate::base::Nanos;
use crate::core::stats::{Results, TOLERANCE};
use serde::{Deserialize, Serialize};

/// Whether the generator itself kept its schedule: it dropped no request, and sent at least 99 % within the tolerance of
/// their due times. If it did not, the numbers describe the generator as much as the limiter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Schedule"))]
pub struct ScheduleSummary {
    pub kept: bool,
    /// The verdict and its reason in a sentence, with options that may help.
    pub statement: String,
    pub scheduled: u64,
    pub dropped: u64,
    /// Requests that were sent, or still queued at the end, more than the tolerance after their due times. The time spent on
    /// a new connection does not count.
    pub late: u64,
    pub tolerance_ns: u64,
}

impl ScheduleSummary {
    pub(super) fn of(results: &Results) -> ScheduleSummary {
        let verdict = &results.verdict;
        let mut schedule = ScheduleSummary {
            kept: verdict.schedule_kept(),
            statement: String::new(),
            scheduled: verdict.scheduled,
            dropped: verdict.dropped,
            late: verdict.late,
            tolerance_ns: TOLERANCE.0,
        };
        let outcome = if !schedule.kept {
            "schedule not kept"
        } else if results.interrupted && schedule.scheduled > 0 {
            "schedule kept until the run was stopped"
        } else {
            "schedule kept"
        };
        schedule.statement = format!("{outcome}: {}", schedule.reason());
        schedule
    }

    /// The numbers behind the verdict, without the verdict, and the options that may help if the schedule was not kept.
    pub fn reason(&self) -> String {
        let (scheduled, dropped, late) = (self.scheduled, self.dropped, self.late);
        if scheduled == 0 {
            return "no request was due".to_owned();
        }
        let tolerance = Nanos(self.tolerance_ns);
        let queued = scheduled.saturating_sub(dropped);
        let share = late as f64 * 100.0 / queued.max(1) as f64;
        if self.kept && late == 0 {
            return format!("every request on time (within {tolerance}), none dropped");
        }
        if self.kept {
            let late = format!("{late} of {scheduled} ({share:.2} %) over {tolerance} late");
            return format!("{late}, none dropped");
        }
        let late = format!("{late} of {queued} ({share:.1} %) over {tolerance} late");
        let remedies = "more --workers or a lower rate may help";
        if dropped == 0 {
            return format!("{late}; {remedies}");
        }
        format!("{dropped} of {scheduled} dropped, {late}; a longer --queue, {remedies}")
    }
}
