//! The requests to one target by the address that they went to.

use super::{CoarseHistogram, Histogram, OutcomeCounts};
use crate::base::{Address, Outcome};

/// One target's share of a [`Tally`](super::Tally), by address, in the order of their first requests.
///
/// At most [`Address::MOST`] addresses are told apart, and all further ones count as [`Address::OTHER`]. A target with a
/// single address has no distributions here, since they are its own.
#[derive(Debug, Default)]
pub struct AddressTallies(Vec<AddressTally>);

/// The requests to one address of a target.
#[derive(Debug)]
pub struct AddressTally {
    pub address: Address,
    pub counts: OutcomeCounts,
    latency: Option<CoarseHistogram>,
}

impl AddressTally {
    /// The latency of its answered requests. `None` if it is the target's only address, so that this is the target's.
    pub fn latency(&self) -> Option<&CoarseHistogram> {
        self.latency.as_ref()
    }
}

impl AddressTallies {
    /// Counts a request. `latency` is that of all earlier requests to the target. Returns where to record the latency of
    /// this one, if it has any.
    pub(super) fn count(
        &mut self,
        address: Address,
        outcome: Outcome,
        latency: &Histogram,
    ) -> Option<&mut CoarseHistogram> {
        let tally = self.of(address, latency);
        tally.counts.sent += 1;
        tally.counts.count(outcome);
        tally.latency.as_mut()
    }

    fn of(&mut self, address: Address, latency: &Histogram) -> &mut AddressTally {
        let place = |tallies: &[AddressTally], address| {
            let mut tallies = tallies.iter();
            tallies.position(|tally| tally.address == address)
        };
        let known = place(&self.0, address).or_else(|| {
            let is_full = self.0.len() >= Address::MOST;
            is_full.then(|| place(&self.0, Address::OTHER)).flatten()
        });
        let place = known.unwrap_or_else(|| {
            self.add(address, latency);
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    fn add(&mut self, address: Address, latency: &Histogram) {
        if let [only] = &mut self.0[..] {
            only.latency.get_or_insert_with(|| latency.into());
        }
        let is_told_apart = self.0.len() < Address::MOST;
        let has_others = !self.0.is_empty();
        self.0.push(AddressTally {
            address: if is_told_apart {
                address
            } else {
                Address::OTHER
            },
            counts: OutcomeCounts::default(),
            latency: has_others.then(CoarseHistogram::empty),
        });
    }

    /// The tallies of these requests: counts and latencies by address. An address may come several times.
    pub fn of_parts(
        parts: impl IntoIterator<Item = (Address, OutcomeCounts, CoarseHistogram)>,
    ) -> AddressTallies {
        let mut tallies = AddressTallies::default();
        for (address, counts, latency) in parts {
            let tally = tallies.of_coarse(address);
            tally.counts += &counts;
            if let Some(sum) = &mut tally.latency {
                *sum += &latency;
            }
        }
        if let [only] = &mut tallies.0[..] {
            only.latency = None;
        }
        tallies
    }

    /// The tally of this address, with a distribution of its own.
    fn of_coarse(&mut self, address: Address) -> &mut AddressTally {
        let tally = self.of(address, &Histogram::default());
        tally.latency.get_or_insert_with(CoarseHistogram::empty);
        tally
    }

    /// All addresses that were used.
    pub fn all(&self) -> &[AddressTally] {
        &self.0
    }

    /// The addresses of a target that used several; none otherwise.
    pub fn of_several(&self) -> impl Iterator<Item = (&AddressTally, &CoarseHistogram)> {
        let tallies = self.0.iter();
        tallies.filter_map(|tally| Some((tally, tally.latency.as_ref()?)))
    }
}
