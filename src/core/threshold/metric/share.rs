use super::counted::Requests;
use super::family::{Claim, Metric};
use crate::base::text::{Cursor, SyntaxError, three_digits};
use crate::core::threshold::comparison::Test;
use crate::core::threshold::exceptions::Exceptions;
use crate::core::threshold::measurements::Ahead;
use crate::core::threshold::number::{Number, Quantity};
use crate::core::threshold::range::{Range, Ratio};
use crate::core::threshold::values;
use crate::core::threshold::view::View;
use std::sync::Arc;

/// `blocked.rate between 10% and 40% of success`
#[derive(Debug)]
struct Share {
    part: Requests,
    whole: Requests,
}

pub(super) fn read(part: Requests) -> Box<dyn Metric> {
    let whole = part.named(part.wholes()[0]);
    Box::new(Share { part, whole })
}

impl Metric for Share {
    fn claim(mut self: Box<Self>, cursor: &mut Cursor) -> Result<Claim, SyntaxError> {
        let test = Test::read(cursor, values::percentage)?;
        let of = cursor.peek_word();
        if of.text == "of" {
            cursor.take(of);
            self.whole = self.part.named(cursor.one_of(&self.part.wholes())?);
        }
        Ok((Arc::new(*self), test))
    }

    fn number(&self) -> Option<Number> {
        let of = self.whole.counted.name;
        let share = Quantity::Share(self.part.counted(), of);
        Some(self.part.number(share))
    }

    fn is_about_generator(&self) -> bool {
        self.part.is_about_generator()
    }

    fn range(&self, view: &View, ahead: Ahead) -> Option<Range> {
        let (part, more) = self.part.count_and_more(view, ahead);
        let (whole, _) = self.whole.count_and_more(view, ahead);
        let [part, whole, more] = [part, whole, more].map(u128::from);
        Some(Range {
            least: Ratio::of(part, whole + more)?,
            most: Ratio::of(part + more, whole + more),
        })
    }

    fn exceptions(&self, view: &View, test: &Test) -> Option<Exceptions> {
        let allowed = test.values().next().filter(|_| test.is_upper_bound())?;
        let (part, _) = self.part.count_and_more(view, Ahead::Nothing);
        let (whole, _) = self.whole.count_and_more(view, Ahead::Nothing);
        Some(Exceptions {
            count: part,
            of: whole,
            allowed: allowed.as_f64(),
        })
    }

    fn display(&self, number: Ratio, _: &View, _: &Test) -> String {
        let percent = three_digits(number.over as f64 * 100.0 / number.under as f64);
        format!("{percent} % ({} of {})", number.over, number.under)
    }
}
