use super::counted::Requests;
use super::family::{Claim, Metric};
use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::number::{Number, Quantity};
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::values;
use crate::core::threshold::view::View;
use std::sync::Arc;

/// `failed.count = 0`
#[derive(Debug)]
struct Count(Requests);

pub(super) fn read(requests: Requests) -> Box<dyn Metric> {
    Box::new(Count(requests))
}

impl Metric for Count {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::whole)?;
        Ok((Arc::new(*self), test))
    }

    fn number(&self) -> Option<Number> {
        Some(self.0.number(Quantity::Count(self.0.counted())))
    }

    fn is_about_generator(&self) -> bool {
        self.0.is_about_generator()
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        let (count, more) = self.0.count_and_more(view, ahead);
        Some(Range {
            least: Ratio::whole(count),
            most: Some(Ratio::whole(count + more)),
        })
    }

    fn display(&self, number: Ratio, _: &View, _: &Test) -> String {
        number.over.to_string()
    }
}
