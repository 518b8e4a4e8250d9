use super::family::{Claim, Family, Metric};
use crate::base::text::{Cursor, SyntaxError};
use crate::core::audit::AuditVerdict;
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::met::Met;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::view::View;
use std::sync::Arc;

/// `audit = kept`: whether the limiter kept its limit, as 1, or is proved to have broken it, as 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audit;

impl Family for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn read(&'static self, _: &Scope, _: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
        Ok(Box::new(*self))
    }
}

impl Metric for Audit {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        Ok((Arc::new(*self), Test::read_verdict(cursor)?))
    }

    fn needs_audit(&self) -> bool {
        true
    }

    fn is_verdict_of_audit(&self) -> bool {
        true
    }

    /// The audit's own verdict already takes a schedule that was not kept into account.
    fn is_about_generator(&self) -> bool {
        true
    }

    fn range(&self, view: &View, _: Ahead) -> Option<Range> {
        let may_be_kept = view.whole.audit != Some(AuditVerdict::Broken);
        Some(Range {
            least: Ratio::whole(0u8),
            most: Some(Ratio::whole(u8::from(may_be_kept))),
        })
    }

    fn display(&self, _: Ratio, view: &View, _: &Test) -> String {
        let text = match view.whole.audit {
            Some(AuditVerdict::Kept) => "kept",
            Some(AuditVerdict::Broken) => "broken",
            Some(AuditVerdict::Suspect) => "suspect",
            Some(AuditVerdict::Inconclusive) => "inconclusive",
            None => "nothing",
        };
        text.to_owned()
    }

    fn judge(&self, view: &View, test: &Test) -> (Met, String) {
        let schedule_kept = view.whole.schedule_kept(Ahead::Nothing);
        let certain = |number: u8| match test.is_met_within(Range::exactly(Ratio::whole(number))) {
            true => Met::Met,
            false => Met::Missed,
        };
        let met = match view.whole.audit {
            Some(AuditVerdict::Kept) => certain(1),
            Some(AuditVerdict::Broken) => certain(0),
            Some(AuditVerdict::Suspect) if test.is_inequality() => Met::Met,
            Some(AuditVerdict::Suspect) => Met::Unsupported,
            Some(AuditVerdict::Inconclusive) if !schedule_kept => Met::Unsupported,
            Some(AuditVerdict::Inconclusive) | None => Met::NothingSeen,
        };
        (met, self.display(Ratio::whole(0u8), view, test))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Nanos;
    use crate::core::stats::Tally;
    use crate::core::threshold::{Measurements, Threshold};

    #[test]
    fn an_expectation_of_the_verdict_is_met_only_by_what_is_proved() {
        use self::Met::{Met, Missed, NothingSeen, Unsupported};
        let tally = Tally::new(1);
        for (verdict, kept, broken, not_broken) in [
            (AuditVerdict::Kept, Met, Missed, Met),
            (AuditVerdict::Broken, Missed, Met, Missed),
            (AuditVerdict::Suspect, Unsupported, Unsupported, Met),
            (
                AuditVerdict::Inconclusive,
                NothingSeen,
                NothingSeen,
                NothingSeen,
            ),
        ] {
            let measurements = Measurements {
                ledgers: &[],
                tally: &tally,
                followed: Nanos::ZERO,
                lateness: &[],
                audit: Some(verdict),
                parts: None,
            };
            let judged = ["audit = kept", "audit = broken", "audit != broken"].map(|text| {
                let threshold: Threshold = text.parse().unwrap();
                threshold.judge(&measurements).0
            });
            assert_eq!(judged, [kept, broken, not_broken], "{verdict:?}");
        }
    }
}
