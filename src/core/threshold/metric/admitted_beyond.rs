use super::family::{Claim, Family, Metric};
use crate::base::text::{Cursor, SyntaxError};
use crate::core::stats::effects::Opened;
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::scope::Scope;
use crate::core::threshold::values;
use crate::core::threshold::view::{Part, View};
use std::sync::Arc;

/// `event[redis goes].admitted_beyond = 0`: the admissions while the event lasted that are proved to be too many.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdmittedBeyond;

impl Family for AdmittedBeyond {
    fn name(&self) -> &'static str {
        "admitted_beyond"
    }

    fn is_of(&self, scope: &Scope) -> bool {
        matches!(scope, Scope::Event(_))
    }

    fn read(&'static self, _: &Scope, _: &mut Cursor) -> Result<Box<dyn Metric>, SyntaxError> {
        Ok(Box::new(*self))
    }
}

impl Metric for AdmittedBeyond {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::whole)?;
        Ok((Arc::new(*self), test))
    }

    fn needs_audit(&self) -> bool {
        true
    }

    fn is_about_generator(&self) -> bool {
        false
    }

    /// None without any if nothing would have shown one.
    fn range(&self, view: &View, _: Ahead) -> Option<Range> {
        let Part::Event(_, effect) = view.part else {
            return None;
        };
        let beyond = effect.all.during.beyond?;
        let is_shown = beyond > 0 || !matches!(effect.all.open, Opened::Unknown(_));
        is_shown.then(|| Range::exactly(Ratio::whole(beyond)))
    }

    fn display(&self, number: Ratio, _: &View, _: &Test) -> String {
        number.over.to_string()
    }
}
