use super::family::{Claim, Family, Metric};
use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::view::View;
use std::sync::Arc;

/// `schedule = kept`: whether the generator kept its schedule, as 1 or 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule;

impl Family for Schedule {
    fn name(&self) -> &'static str {
        "schedule"
    }

    fn read(&'static self, _: &Scope, _: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
        Ok(Box::new(*self))
    }
}

impl Metric for Schedule {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        Ok((Arc::new(*self), Test::read_kept(cursor)?))
    }

    fn is_about_generator(&self) -> bool {
        true
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        let may_be_kept = view.whole.schedule_kept(ahead);
        let is_kept = may_be_kept && ahead.is_nothing();
        Some(Range {
            least: Ratio::whole(u8::from(is_kept)),
            most: Some(Ratio::whole(u8::from(may_be_kept))),
        })
    }

    fn display(&self, _: Ratio, view: &View, _: &Test) -> String {
        let verdict = view.whole.verdict(Ahead::Nothing);
        if verdict.schedule_kept() {
            return "kept".to_owned();
        }
        let (dropped, late) = (verdict.dropped, verdict.late);
        format!("not kept: {dropped} dropped, {late} late")
    }
}
