//! The targets of recorded requests, by their names, and the nodes behind them, by their addresses.

use crate::base::Address;
use std::collections::HashMap;

/// Distinct targets and addresses of them, each with the number of its first request.
#[derive(Debug, Default)]
pub struct TargetNames {
    first: HashMap<Box<str>, HashMap<Box<str>, u64>>,
    count: usize,
}

/// The numbers of the nodes, by target and address.
#[derive(Debug)]
pub struct NodeNumbers<'a>(HashMap<&'a str, HashMap<&'a str, u32>>);

impl TargetNames {
    /// The most targets with their addresses, and the longest name of one, in bytes.
    pub const MOST: usize = 10_000;
    const LONGEST: usize = 8_192;

    /// Adds the target of a request, and its address, which is empty if it is not known. The error is the end of a sentence
    /// that begins with the row.
    pub fn add(&mut self, target: &str, address: &str, number: u64) -> Result<(), String> {
        let addresses = self.first.get_mut(target);
        if let Some(first) = addresses.and_then(|addresses| addresses.get_mut(address)) {
            *first = number.min(*first);
            return Ok(());
        }
        if self.count == Self::MOST || target.len().max(address.len()) > Self::LONGEST {
            return Err(format!(
                "there may be at most {} targets of at most {} bytes; name their column with --target",
                Self::MOST,
                Self::LONGEST
            ));
        }
        let addresses = self.first.entry(target.into()).or_default();
        let is_told_apart = addresses.len() < Address::MOST || address.is_empty();
        let address = if is_told_apart { address } else { OTHER };
        let before = addresses.len();
        let first = addresses.entry(address.into()).or_insert(number);
        *first = number.min(*first);
        self.count += addresses.len() - before;
        Ok(())
    }

    /// The names of the nodes, and their numbers. Each address of a target with several is a node, and every other target
    /// is one.
    ///
    /// Targets stand in the order of their first requests, and so do the addresses of one. Requests go to the targets of a
    /// run in turn, so this is the order in which they were given. Requests without an address count as the target's first.
    pub fn nodes(&self) -> (Vec<String>, NodeNumbers<'_>) {
        let mut targets: Vec<_> = self.first.iter().collect();
        targets.sort_unstable_by_key(|(name, addresses)| (addresses.values().min(), *name));
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        for (target, addresses) in targets {
            let mut known: Vec<_> = addresses.iter().collect();
            known.retain(|(address, _)| !address.is_empty());
            known.sort_unstable_by_key(|(address, first)| (*first, *address));
            let target_name = if target.is_empty() { UNNAMED } else { target };
            let number = names.len() as u32;
            let mut of_target = HashMap::from([("", number)]);
            of_target.extend(
                known
                    .iter()
                    .zip(number..)
                    .map(|((address, _), number)| (&***address, number)),
            );
            if known.len() < 2 {
                names.push(target_name.to_owned());
            } else {
                let named = known
                    .iter()
                    .map(|(address, _)| format!("{target_name} ({address})"));
                names.extend(named);
            }
            numbers.insert(&**target, of_target);
        }
        (names, NodeNumbers(numbers))
    }
}

/// Stands for the target of rows without one.
const UNNAMED: &str = "the limiter";

/// Stands for the addresses of a target beyond those that are told apart.
const OTHER: &str = "other addresses";

impl NodeNumbers<'_> {
    /// The number of the node; `None` if there is no such target.
    pub fn of(&self, target: &str, address: &str) -> Option<u32> {
        let of_target = self.0.get(target)?;
        let number = of_target.get(address).or_else(|| of_target.get(OTHER));
        number.copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stand_in_the_order_of_their_first_requests() {
        let mut targets = TargetNames::default();
        for (name, number) in [("c", 5), ("a", 1), ("b", 3), ("c", 2), ("b", 0)] {
            targets.add(name, "", number).unwrap();
        }
        let (names, numbers) = targets.nodes();
        assert_eq!(names, ["b", "a", "c"]);
        let numbers = ["b", "a", "c", "d"].map(|name| numbers.of(name, ""));
        assert_eq!(numbers, [Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn each_address_of_a_target_is_a_node_of_its_own() {
        let mut targets = TargetNames::default();
        for (name, address, number) in [
            ("b", "10.0.0.9", 4),
            ("a", "10.0.0.2", 3),
            ("a", "10.0.0.1", 2),
            ("a", "", 1),
            ("b", "", 0),
            ("", "10.0.0.8", 9),
        ] {
            targets.add(name, address, number).unwrap();
        }
        let (names, numbers) = targets.nodes();
        let expected = ["b", "a (10.0.0.1)", "a (10.0.0.2)", "the limiter"];
        assert_eq!(names, expected);
        let numbers = [
            ("b", "10.0.0.9"),
            ("b", ""),
            ("a", ""),
            ("a", "10.0.0.1"),
            ("a", "10.0.0.2"),
            ("", "10.0.0.8"),
        ]
        .map(|(target, address)| numbers.of(target, address));
        assert_eq!(numbers, [0, 0, 1, 1, 2, 3].map(Some));
    }

    #[test]
    fn too_many_addresses_of_a_target_are_one_node() {
        let mut targets = TargetNames::default();
        for number in 0..200 {
            targets
                .add("a", &format!("10.0.0.{number}"), number)
                .unwrap();
        }
        let (names, numbers) = targets.nodes();
        assert_eq!(names.len(), Address::MOST + 1);
        assert_eq!(names[Address::MOST], "a (other addresses)");
        let [one, other, another] = [3, 150, 199].map(|n| numbers.of("a", &format!("10.0.0.{n}")));
        assert_eq!((one, other, another), (Some(3), Some(64), Some(64)));
    }
}
