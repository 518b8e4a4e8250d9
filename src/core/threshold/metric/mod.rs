//! The metrics of thresholds. A metric is one file with its [`Family`], or one row in a table of a family, and one
//! entry in [`families`].

mod audit;
mod count;
mod counted;
mod family;
mod per_second;
mod requests;
mod schedule;
mod share;
mod times;

pub(super) use family::Metric;

use crate::base::text::{Cursor, SyntaxError};
use crate::core::threshold::measurements::Scope;
use family::{Claim, Family};

const TARGET: &str = "target";

/// All families, in the order in which errors list them.
fn families() -> Vec<&'static dyn Family> {
    let mut families: Vec<&dyn Family> = Vec::new();
    families.extend(times::ALL.iter().map(|family| family as &dyn Family));
    families.extend(counted::ALL.iter().map(|family| family as &dyn Family));
    families.push(&audit::Audit);
    families.push(&schedule::Schedule);
    families
}

/// Reads a whole threshold.
pub(super) fn read(text: &str) -> Result<Claim, SyntaxError> {
    let mut cursor = Cursor::new(text);
    let mut families = families();
    let mut names: Vec<_> = families.iter().map(|family| family.name()).collect();
    names.push(TARGET);
    let mut name = cursor.one_of(&names)?;
    let mut scope = Scope::All;
    if name == TARGET {
        scope = read_target(&mut cursor)?;
        families.retain(|family| family.is_by_target());
        let names: Vec<_> = families.iter().map(|family| family.name()).collect();
        name = cursor.one_of(&names)?;
    }
    let family = families.iter().find(|family| family.name() == name);
    let claim = family.expect("one of the names").read(scope, &mut cursor)?;
    if !cursor.is_at_end() {
        return Err(cursor.rest().error("must be the end"));
    }
    Ok(claim)
}

/// Reads `[N].`, with numbers from 1.
fn read_target(cursor: &mut Cursor) -> Result<Scope, SyntaxError> {
    cursor.symbol("[", TARGET)?;
    let number = cursor.take(cursor.peek_word());
    let place = number.text.parse::<usize>().ok();
    let place = place.and_then(|number| number.checked_sub(1));
    let place = place.ok_or_else(|| {
        number.error("must be a target's number, from 1 in the order in which they are given")
    })?;
    cursor.symbol("]", number.text)?;
    cursor.symbol(".", TARGET)?;
    Ok(Scope::Target(place))
}
