//! The targets of recorded requests, by their names.

use std::collections::HashMap;

/// Distinct targets, each with the number of its first request.
#[derive(Debug, Default)]
pub struct TargetNames {
    first: HashMap<Box<str>, u64>,
}

/// The places of the targets, by their names.
#[derive(Debug)]
pub struct TargetPlaces<'a>(HashMap<&'a str, u32>);

impl TargetNames {
    /// The most targets, and the longest name of one, in bytes.
    pub const MOST: usize = 10_000;
    const LONGEST: usize = 8_192;

    /// Adds the target of a request. The error is the end of a sentence that begins with the row.
    pub fn add(&mut self, target: &str, number: u64) -> Result<(), String> {
        if let Some(first) = self.first.get_mut(target) {
            *first = number.min(*first);
            return Ok(());
        }
        if self.first.len() == Self::MOST || target.len() > Self::LONGEST {
            return Err(format!(
                "there may be at most {} targets of at most {} bytes; name their column with --target",
                Self::MOST,
                Self::LONGEST
            ));
        }
        self.first.insert(target.into(), number);
        Ok(())
    }

    /// The names of the targets, and their places among them.
    ///
    /// Targets stand in the order of their first requests. Requests go to the targets of a run in turn, so this is the
    /// order in which they were given.
    pub fn in_order(&self) -> (Vec<String>, TargetPlaces<'_>) {
        let mut targets: Vec<_> = self.first.iter().collect();
        targets.sort_unstable_by_key(|(name, first)| (**first, *name));
        let places = targets.iter().zip(0..);
        let places = places.map(|((name, _), place)| (&***name, place)).collect();
        let names = targets.iter().map(|(name, _)| match &***name {
            "" => UNNAMED.to_owned(),
            name => name.to_owned(),
        });
        (names.collect(), TargetPlaces(places))
    }
}

/// Stands for the target of rows without one.
const UNNAMED: &str = "the limiter";

impl TargetPlaces<'_> {
    /// The place of a target; `None` if there is no such target.
    pub fn of(&self, target: &str) -> Option<u32> {
        self.0.get(target).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stand_in_the_order_of_their_first_requests() {
        let mut targets = TargetNames::default();
        for (name, number) in [("c", 5), ("a", 1), ("", 3), ("c", 2), ("", 0)] {
            targets.add(name, number).unwrap();
        }
        let (names, places) = targets.in_order();
        assert_eq!(names, ["the limiter", "a", "c"]);
        let places = ["", "a", "c", "d"].map(|name| places.of(name));
        assert_eq!(places, [Some(0), Some(1), Some(2), None]);
    }
}
