use super::counted::Requests;
use super::family::{Claim, Metric};
use crate::base::Nanos;
use crate::base::text::{Cursor, SyntaxError, span, three_digits};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::number::{Number, Quantity};
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::values;
use crate::core::threshold::view::View;
use std::sync::Arc;

/// `allowed.per_second < 1.7/s`, over the time in which the schedule was followed.
#[derive(Debug)]
struct PerSecond(Requests);

pub(super) fn read(requests: Requests) -> Box<dyn Metric> {
    Box::new(PerSecond(requests))
}

impl Metric for PerSecond {
    fn claim(self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::rate)?;
        Ok((Arc::new(*self), test))
    }

    fn number(&self) -> Option<Number> {
        Some(self.0.number(Quantity::PerSecond(self.0.counted())))
    }

    fn is_about_generator(&self) -> bool {
        self.0.is_about_generator()
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        let (count, more) = self.0.count_and_more(view, ahead);
        let per_second = |count: u64, more: u64, time: Nanos| {
            let count = u128::from(count) + u128::from(more);
            Ratio::of(count * 1_000_000_000, time.0.into())
        };
        let longest = view.longest(ahead);
        Some(Range {
            least: per_second(count, 0, longest)?,
            most: per_second(count, more, view.length()),
        })
    }

    fn display(&self, number: Ratio, view: &View, _: &Test) -> String {
        let (count, _) = self.0.count_and_more(view, Ahead::Nothing);
        let time = span(view.length());
        format!("{}/s ({count} in {time})", three_digits(number.as_f64()))
    }
}
