use super::family::{Claim, Family, Metric};
use crate::base::Nanos;
use crate::base::text::{Cursor, SyntaxError, span};
use crate::core::stats::effects::{self, GOOD};
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
            return (or_unsupported(Met::Met), no_recovery(view).to_owned());
        };
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

fn no_recovery(view: &View) -> &'static str {
    match view.part {
        Part::Event(_, effect) if effect.all.is_slow => "nothing to recover from but slow answers",
        Part::Event(_, effect) if effect.all.open.is_none() => "no failure to recover from",
        _ => "nothing to recover from",
    }
}
