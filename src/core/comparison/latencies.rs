//! The latencies of each second of a run, as a summary has them: counts in wide bands, and five percentiles of each second.
//! Together these place nearly every latency of the tail within a few percent.

/// The bounds of bins at equal distances in the logarithm of the latency, from 1 µs to 1,000 s.
const BINS: usize = 1024;
const LEAST: f64 = 1e3;
const DECADES: f64 = 9.0;

fn position(ns: f64) -> f64 {
    let position = (ns.max(LEAST) / LEAST).log10() / DECADES * BINS as f64;
    position.min(BINS as f64)
}

/// The bin that a position is in.
fn bin(position: f64) -> usize {
    (position.ceil() as usize).min(BINS)
}

fn value(position: f64) -> f64 {
    LEAST * 10f64.powf(position / BINS as f64 * DECADES)
}

/// A rank whose latency is known, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub ns: f64,
    pub rank: f64,
    /// Whether the request of this rank took exactly so long. Otherwise it took no longer.
    pub is_there: bool,
}

/// For each second, how many latencies are at most as long as each bound.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    /// For each bound, a number for each second.
    cumulative: Vec<Vec<f32>>,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies {
            cumulative: vec![Vec::new(); BINS + 1],
        }
    }
}

impl Latencies {
    /// Adds a second that has some slots. Between known ranks, latencies are taken to be spread evenly in their logarithm.
    pub fn add(&mut self, slots: &[Vec<Known>]) {
        let mut bins = vec![0f32; BINS + 1];
        for slot in slots {
            let mut known = slot.clone();
            known.sort_by(|a, b| a.ns.total_cmp(&b.ns).then(a.rank.total_cmp(&b.rank)));
            let (mut from, mut below) = (0.0, 0.0);
            for known in known {
                let to = position(known.ns);
                let mut mass = known.rank - below;
                if mass > 0.0 {
                    if known.is_there {
                        let own = mass.min(1.0);
                        bins[bin(to)] += own as f32;
                        mass -= own;
                    }
                    spread(&mut bins, from, to, mass);
                    below = known.rank;
                }
                from = to;
            }
        }
        let mut sum = 0.0;
        for (count, bound) in bins.iter().zip(&mut self.cumulative) {
            sum += count;
            bound.push(sum);
        }
    }

    /// The latency that this share of all latencies do not exceed, where each second counts so many times.
    pub fn quantile(&self, share: f64, times: &[f64]) -> Option<f64> {
        let at = |place: usize| -> f64 {
            let counts = self.cumulative[place].iter().zip(times);
            counts.map(|(count, times)| f64::from(*count) * times).sum()
        };
        let all = at(BINS);
        if all.is_nan() || all <= 0.0 {
            return None;
        }
        let wanted = share * all;
        let (mut low, mut high) = (0, BINS);
        if at(0) >= wanted {
            return Some(LEAST);
        }
        while high - low > 1 {
            let middle = (low + high) / 2;
            if at(middle) >= wanted {
                high = middle;
            } else {
                low = middle;
            }
        }
        let (before, after) = (at(low), at(high));
        Some(value(low as f64 + (wanted - before) / (after - before)))
    }

    /// In each second, how many latencies exceed this one.
    pub fn over(&self, ns: f64) -> Vec<f64> {
        let place = (position(ns).round() as usize).min(BINS);
        let within = self.cumulative[place].iter();
        let pairs = self.cumulative[BINS].iter().zip(within);
        pairs.map(|(all, within)| f64::from(all - within)).collect()
    }

    /// In each second, the sum of all latencies, in nanoseconds.
    pub fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.cumulative[BINS].len()];
        let mut before = vec![0.0; sums.len()];
        for (bin, counts) in self.cumulative.iter().enumerate() {
            let middle = value(bin as f64 - 0.5);
            for ((sum, before), count) in sums.iter_mut().zip(&mut before).zip(counts) {
                let count = f64::from(*count);
                *sum += (count - *before) * middle;
                *before = count;
            }
        }
        sums
    }
}

fn spread(bins: &mut [f32], from: f64, to: f64, mass: f64) {
    if mass <= 0.0 {
        return;
    }
    let width = to - from;
    if width <= 1e-9 {
        bins[bin(to)] += mass as f32;
        return;
    }
    let (first, last) = (from.floor() as usize, (to.ceil() as usize).min(BINS));
    for place in first..last {
        let part = (to.min(place as f64 + 1.0) - from.max(place as f64)).max(0.0);
        bins[place + 1] += (mass * part / width) as f32;
    }
}
