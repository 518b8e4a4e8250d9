//! The targets of recorded requests, by their names.

use std::collections::HashMap;

/// Distinct targets, each with the number of its first request.
#[derive(Debug, Default)]
pub struct TargetNames {
    first: HashMap<Box<str>, u64>,
}

impl TargetNames {
    /// The most targets, and the longest name of one, in bytes.
    pub const MOST: usize = 10_000;
    const LONGEST: usize = 8_192;

    /// Adds the target of a request. The error is the end of a sentence that begins with the row.
    pub fn add(&mut self, name: &str, number: u64) -> Result<(), String> {
        if let Some(first) = self.first.get_mut(name) {
            *first = number.min(*first);
            return Ok(());
        }
        if self.first.len() == Self::MOST || name.len() > Self::LONGEST {
            return Err(format!(
                "there may be at most {} targets of at most {} bytes; name their column with --target",
                Self::MOST,
                Self::LONGEST
            ));
        }
        self.first.insert(name.into(), number);
        Ok(())
    }

    /// The targets in the order of their first requests, each with its place. Requests go to the targets of a run in
    /// turn, so this is the order in which they were given.
    pub fn placed(&self) -> (Vec<String>, HashMap<&str, u32>) {
        let mut names: Vec<_> = self
            .first
            .iter()
            .map(|(name, first)| (*first, &**name))
            .collect();
        names.sort_unstable();
        let places = names
            .iter()
            .zip(0..)
            .map(|((_, name), place)| (*name, place));
        let places = places.collect();
        let names = names.iter().map(|(_, name)| (*name).to_owned());
        (names.collect(), places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stand_in_the_order_of_their_first_requests() {
        let mut targets = TargetNames::default();
        for (name, number) in [("c", 5), ("a", 1), ("b", 3), ("c", 2), ("b", 0)] {
            targets.add(name, number).unwrap();
        }
        let (names, places) = targets.placed();
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!((places["b"], places["a"], places["c"]), (0, 1, 2));
    }
}
