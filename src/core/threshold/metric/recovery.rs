use super::family::{Claim, Family, Metric};
use crate::base::Nanos;
use crate::base::text::{Cursor, SyntaxError, span};
use crate::core::stats::effects::{self, Failed, GOOD, Opened, WhyUnknown};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::met::Met;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::values;
use crate::core::threshold::view::{Part, View};
use std::sync::Arc;

/// `event[redis goes].recovery < 2s`: the time until answers were right again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery;

impl Family for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn is_of(&self, scope: &Scope) -> bool {
        matches!(scope, Scope::Event(_))
    }

    fn read(&'static self, _: &Scope, _: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
        Ok(Box::new(*self))
    }
}

impl Metric for Recovery {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::time)?;
        Ok((Arc::new(*self), test))
    }

    fn is_about_generator(&self) -> bool {
        false
    }

    fn range(&self, view: &View, _: Ahead) -> Option<Range> {
        let recovery = recovery(view)?;
        Some(match recovery.total {
            Some(total) => Range::exactly(total.into()),
            None => Range {
                least: Ratio::whole(lasted(view, &recovery).0),
                most: None,
            },
        })
    }

    fn display(&self, number: Ratio, _: &View, _: &Test) -> String {
        span(number.as_nanos())
    }

    /// Requests that a target's full backlog dropped do not count: the answers to others show when it was right again.
    fn judge(&self, view: &View, test: &Test) -> (Met, String) {
        let is_kept = view.whole.schedule_kept(Ahead::Nothing);
        let or_unsupported = |met| if is_kept { met } else { Met::Unsupported };
        let Some(recovery) = recovery(view) else {
            let (is_nothing, measured) = no_recovery(view);
            let met = match is_nothing {
                true if test.is_met_within(Range::exactly(Nanos::ZERO.into())) => Met::Met,
                true => Met::Missed,
                false => Met::NothingSeen,
            };
            return (or_unsupported(met), measured.to_owned());
        };
        if !recovery.is_known && recovery.total.is_none() {
            let measured = "nothing shows whether it was right again".to_owned();
            return (or_unsupported(Met::NothingSeen), measured);
        }
        let Some(total) = recovery.total else {
            let lasted = lasted(view, &recovery);
            let compared = test.values().max().map(Ratio::as_nanos);
            let needed = compared.unwrap_or_default() + GOOD;
            if lasted < needed {
                let measured = format!("not right again in the {} to the end", span(lasted));
                return (or_unsupported(Met::NothingSeen), measured);
            }
            return (or_unsupported(Met::Missed), "not right again".to_owned());
        };
        let met = match test.is_met_within(Range::exactly(total.into())) {
            true => Met::Met,
            false => Met::Missed,
        };
        let mut measured = self.display(total.into(), view, test);
        if recovery.failed_later {
            measured += "; requests failed again later";
        }
        (or_unsupported(met), measured)
    }
}

fn recovery(view: &View) -> Option<effects::Recovery> {
    match view.part {
        Part::Event(_, effect) => effect.all.recovery,
        _ => None,
    }
}

/// How long the schedule went on after the instant from which the recovery is counted.
fn lasted(view: &View, recovery: &effects::Recovery) -> Nanos {
    view.whole.followed.saturating_sub(recovery.from_at)
}

/// Why there is no recovery, and whether that is because there was nothing to recover from.
fn no_recovery(view: &View) -> (bool, &'static str) {
    let Part::Event(_, effect) = view.part else {
        return (false, "no event");
    };
    match (effect.all.failed, effect.all.open) {
        (Failed::Before, _) => (false, "targets failed already before"),
        _ if effect.all.during.counts.sent == 0 => (false, "no request was sent"),
        (_, Opened::Unknown(WhyUnknown::NotAudited)) | (_, Opened::No) => {
            if effect.all.is_slow {
                (true, "nothing to recover from but slow answers")
            } else if effect.all.open == Opened::No {
                (true, "nothing to recover from")
            } else {
                (true, "no failure to recover from")
            }
        }
        _ => (false, "not known whether it failed open"),
    }
}
