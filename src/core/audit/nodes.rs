//! The nodes of a cluster. Each address of a target is one, since each may count alone.

use crate::base::{Address, Nanos};
use std::collections::HashMap;

/// The nodes of a run, by their numbers.
///
/// The first address of a target has the target's place as its number. So without other addresses, nodes are targets.
/// Further addresses are numbered behind the targets as they appear. Beyond the first 256 of them, all others are one
/// node.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// By target.
    first: Vec<Option<Address>>,
    /// `None` stands for all others.
    further: Vec<Option<(u32, Address)>>,
    numbers: HashMap<(u32, Address), u32>,
}

/// The most nodes beyond the first of each target that are told apart.
const MOST_FURTHER: usize = 256;

impl Nodes {
    pub fn of_targets(targets: usize) -> Nodes {
        Nodes {
            first: vec![None; targets],
            further: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The number of the node that got a request to a target, by the target's place. Without an address, it is that of the
    /// target's first.
    pub fn number(&mut self, target: u32, address: Option<Address>) -> u32 {
        let (Some(first), Some(address)) = (self.first.get_mut(target as usize), address) else {
            return target;
        };
        if *first.get_or_insert(address) == address {
            return target;
        }
        if let Some(number) = self.numbers.get(&(target, address)) {
            return *number;
        }
        let number = |place: usize| (self.first.len() + place) as u32;
        if self.further.len() >= MOST_FURTHER {
            self.further.resize(MOST_FURTHER + 1, None);
            return number(MOST_FURTHER);
        }
        let number = number(self.further.len());
        self.further.push(Some((target, address)));
        self.numbers.insert((target, address), number);
        number
    }

    /// The names of the nodes in the order of their numbers: the target's, with the address if the target has several.
    pub fn names(&self, targets: &[String]) -> Vec<String> {
        let with_address = |target: usize, address: Address| {
            let name = targets.get(target).map_or("a target", String::as_str);
            format!("{name} ({})", address.text())
        };
        let has_several = |target: usize| {
            let mut further = self.further.iter().flatten();
            further.any(|(of, _)| *of as usize == target)
        };
        let first = targets.iter().enumerate().map(|(place, name)| {
            let address = self.first.get(place).copied().flatten();
            let address = address.filter(|_| has_several(place));
            address.map_or_else(|| name.clone(), |address| with_address(place, address))
        });
        let further = self.further.iter().map(|node| match node {
            Some((target, address)) => with_address(*target as usize, *address),
            None => "other addresses".to_owned(),
        });
        first.chain(further).collect()
    }
}

/// From the first request to a node to the end of the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    pub first: Nanos,
    pub last: Nanos,
}

impl Lifetime {
    /// Before any request.
    pub const NONE: Lifetime = Lifetime {
        first: Nanos::MAX,
        last: Nanos::ZERO,
    };

    pub fn extend(&mut self, sent: Nanos, done: Nanos) {
        self.first = self.first.min(sent);
        self.last = self.last.max(done);
    }

    pub fn overlaps(&self, from: Nanos, to: Nanos) -> bool {
        self.first <= to && from <= self.last
    }
}

/// What a list has of a node. The list grows up to it, since nodes may appear at any time.
pub(super) fn of_node<T: Clone>(list: &mut Vec<T>, node: usize, none: T) -> &mut T {
    if list.len() <= node {
        list.resize(node + 1, none);
    }
    &mut list[node]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_targets_until_one_has_several_addresses() {
        let targets = ["http://a", "http://b"].map(str::to_owned);
        let [one, two, three] = ["10.4.0.1:80", "10.4.0.2:80", "10.4.0.3:80"].map(Address::new);
        let mut nodes = Nodes::of_targets(2);
        let numbers = [(0, Some(two)), (1, Some(one)), (0, Some(two)), (1, None)];
        let numbers = numbers.map(|(target, address)| nodes.number(target, address));
        assert_eq!(numbers, [0, 1, 0, 1]);
        assert_eq!(nodes.names(&targets), targets);
        let numbers = [(1, three), (0, three), (1, three), (1, one)];
        let numbers = numbers.map(|(target, address)| nodes.number(target, Some(address)));
        assert_eq!(numbers, [2, 3, 2, 1]);
        let names = [
            "http://a (10.4.0.2:80)",
            "http://b (10.4.0.1:80)",
            "http://b (10.4.0.3:80)",
            "http://a (10.4.0.3:80)",
        ];
        assert_eq!(nodes.names(&targets), names);
    }

    #[test]
    fn too_many_addresses_are_one_node() {
        let mut nodes = Nodes::of_targets(1);
        let mut number = |n: usize| nodes.number(0, Some(Address::new(&format!("10.5.0.{n}:80"))));
        let numbers: Vec<_> = (0..MOST_FURTHER + 10).map(&mut number).collect();
        let other = MOST_FURTHER as u32 + 1;
        assert_eq!(
            numbers[MOST_FURTHER..],
            [&[other - 1][..], &[other; 9]].concat()
        );
        assert_eq!((number(5), number(MOST_FURTHER + 5)), (5, other));
        let names = nodes.names(&["http://a".to_owned()]);
        assert_eq!(
            (names.len(), &*names[other as usize]),
            (258, "other addresses")
        );
    }
}
