use super::Count;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Binomial, Distribution};

/// The points of a Poisson process with a rate of one, from 0 on: the gaps between them are independent and exponential,
/// with a mean of one.
///
/// The inverse of a profile's N(t) turns these points into a Poisson process with that profile's rate, in which N(t)
/// requests are expected by t (Çinlar, "Introduction to Stochastic Processes", 1975, chapter 4). The requests of a burst
/// at once are a Poisson number, too.
///
/// Any point can be computed from its number, without the points before it, and so can the number of points below any
/// bound. To make this possible, counts are drawn first and places last. The line is cut into leaves with a length of 16
/// requests. Leaves are gathered into blocks: the first leaf, the second, the next two, the next four, and so on. The
/// number of points in a block is drawn from the Poisson distribution with the block's length as the mean. A binary tree
/// splits a block: each point of a node falls into either half by a fair coin, so that the left half's number is
/// binomial. The points of a leaf lie anywhere in it, independently.
///
/// The result is the same process, because the numbers of a Poisson process in disjoint intervals are independent and
/// Poisson, and given its number, the points of an interval are independent and uniform.
///
/// Each draw depends on the seed and its place in the tree alone. The resolution of a point is 10⁻¹⁸ requests. Counts
/// over about 10¹² are drawn in double precision, which rounds the probabilities, and over 9·10¹⁵ also the counts. There
/// are about 2⁶³ points, which at 10⁹/s last for 292 years.
#[derive(Debug)]
pub struct Poisson {
    /// The generator at the start of stream 0. Each place in the tree draws from its own [stream](Node::stream).
    random: ChaCha8Rng,
    /// The number of points before each block, and of all points.
    before: [u64; BLOCKS + 1],
}

/// The expected number of points in a leaf, which are drawn together.
const LEAF: u64 = 16;

/// The number of blocks, which have 2⁵⁹ leaves.
const BLOCKS: usize = 60;

/// The length of a leaf in units of 10⁻¹⁸ requests.
const LEAF_LENGTH: u64 = LEAF * 10u64.pow(18);

/// Up to this number, coins are tossed one by one, as the bits of random numbers.
const COINS: u64 = 1024;

impl Poisson {
    pub fn new(seed: u64) -> Poisson {
        // A cipher key of its own, since the run's keys use all streams of the one that expands from the same seed.
        let mut key = *b"........ Poisson arrivals, unit ";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let random = ChaCha8Rng::from_seed(key);
        let (mut draws, mut total) = (random.clone(), 0u64);
        let before = std::array::from_fn(|block| {
            let before = total;
            if block < BLOCKS {
                let mean = (LEAF << block.saturating_sub(1)) as f64;
                let points = rand_distr::Poisson::new(mean).expect("a mean below 2⁶³");
                total += points.sample(&mut draws) as u64;
            }
            before
        });
        Poisson { random, before }
    }

    pub(super) fn walk(&self) -> Walk<'_> {
        Walk {
            process: self,
            path: Vec::new(),
            leaves: Default::default(),
        }
    }

    fn block(&self, block: usize) -> Node {
        Node {
            height: block.saturating_sub(1) as u32,
            index: block.min(1) as u64,
            first: self.before[block],
            points: self.before[block + 1] - self.before[block],
        }
    }

    fn draws(&self, node: &Node) -> ChaCha8Rng {
        let mut random = self.random.clone();
        random.set_stream(node.stream());
        random
    }

    fn halves(&self, node: &Node) -> [Node; 2] {
        let left = heads(node.points, || self.draws(node));
        let half = |right: bool| Node {
            height: node.height - 1,
            index: 2 * node.index + u64::from(right),
            first: node.first + if right { left } else { 0 },
            points: if right { node.points - left } else { left },
        };
        [half(false), half(true)]
    }
}

/// The number of heads among fair coins.
fn heads(coins: u64, random: impl FnOnce() -> ChaCha8Rng) -> u64 {
    match coins {
        0 => 0,
        1..=COINS => {
            let mut random = random();
            let whole = (0..coins / 64).map(|_| random.next_u64().count_ones());
            let mut heads = whole.sum::<u32>();
            if !coins.is_multiple_of(64) {
                heads += (random.next_u64() >> (64 - coins % 64)).count_ones();
            }
            heads.into()
        }
        _ => {
            let coins = Binomial::new(coins, 0.5).expect("a probability");
            coins.sample(&mut random())
        }
    }
}

/// 2^`height` leaves, from leaf `index`·2^`height` on, and their points.
#[derive(Debug, Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
    /// The number of its first point.
    first: u64,
    points: u64,
}

impl Node {
    /// The number of the node if the tree over all leaves is read from left to right. It is never 0.
    fn stream(&self) -> u64 {
        (2 * self.index + 1) << self.height
    }

    fn has_point(&self, number: u64) -> bool {
        (self.first..self.first + self.points).contains(&number)
    }

    fn has_leaf(&self, leaf: u64) -> bool {
        leaf >> self.height == self.index
    }
}

/// A leaf's points, in order.
#[derive(Debug, Default)]
struct Leaf {
    index: u64,
    first: u64,
    /// The distances from the leaf's start, in units of 10⁻¹⁸ requests.
    places: Vec<u64>,
}

impl Leaf {
    fn start(&self) -> u128 {
        u128::from(self.index) * u128::from(LEAF_LENGTH)
    }
}

/// A place in a Poisson process, from which nearby points are found at little cost.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    process: &'a Poisson,
    /// The two halves of each node on the way down to the last leaf.
    path: Vec<[Node; 2]>,
    /// The last two leaves, since the pacer alternates between the next token and one further ahead.
    leaves: [Leaf; 2],
}

impl Walk<'_> {
    /// The point with this number, counted from 0; `None` after the last.
    pub fn number_of(&mut self, point: u64) -> Option<Count> {
        let known =
            |leaf: &Leaf| leaf.first <= point && point - leaf.first < leaf.places.len() as u64;
        let leaf = match self.leaves.iter().position(known) {
            Some(place) => &self.leaves[place],
            None => {
                let before = &self.process.before;
                let block = before.partition_point(|before| *before <= point) - 1;
                if block == BLOCKS {
                    return None;
                }
                self.find(block, |node| node.has_point(point))
            }
        };
        let place = leaf.places[(point - leaf.first) as usize];
        // The unit of a count is half the unit of a place.
        Some(Count(2 * (leaf.start() + u128::from(place))))
    }

    /// The number of points that are less than this.
    pub fn below(&mut self, bound: Count) -> u64 {
        let bound = bound.0.div_ceil(2);
        let Some(index) = u64::try_from(bound / u128::from(LEAF_LENGTH))
            .ok()
            .filter(|index| *index < 1 << (BLOCKS - 1))
        else {
            return self.process.before[BLOCKS];
        };
        let known = |leaf: &Leaf| leaf.index == index && !leaf.places.is_empty();
        let leaf = match self.leaves.iter().position(known) {
            Some(place) => &self.leaves[place],
            None => {
                let block = (u64::BITS - index.leading_zeros()) as usize;
                self.find(block, |node| node.has_leaf(index))
            }
        };
        let bound = bound - leaf.start();
        let is_below = |place: &u64| u128::from(*place) < bound;
        leaf.first + leaf.places.partition_point(is_below) as u64
    }

    /// The leaf of this block that is `wanted`, as is each node on the way to it.
    fn find(&mut self, block: usize, wanted: impl Fn(&Node) -> bool) -> &Leaf {
        let process = self.process;
        let wanted_of = |halves: &[Node; 2]| halves.iter().copied().find(&wanted);
        let mut node = None;
        while let Some(halves) = self.path.last() {
            node = wanted_of(halves);
            if node.is_some() {
                break;
            }
            self.path.pop();
        }
        let mut node = node.unwrap_or_else(|| process.block(block));
        while node.height > 0 {
            let halves = process.halves(&node);
            self.path.push(halves);
            let [left, right] = halves;
            node = if wanted(&left) { left } else { right };
        }
        self.leaves.swap(0, 1);
        let leaf = &mut self.leaves[0];
        (leaf.index, leaf.first) = (node.index, node.first);
        leaf.places.clear();
        let mut random = process.draws(&node);
        // Lemire's multiplication without its rejection step, since 2⁶⁴ numbers are enough for 1.6·10¹⁹ places.
        let place = || ((u128::from(random.next_u64()) * u128::from(LEAF_LENGTH)) >> 64) as u64;
        leaf.places
            .extend(std::iter::repeat_with(place).take(node.points as usize));
        leaf.places.sort_unstable();
        leaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The gaps before `count` points from number `from` on, in requests.
    fn gaps(seed: u64, from: u64, count: u64) -> Vec<f64> {
        let process = Poisson::new(seed);
        let mut walk = process.walk();
        let mut last = from.checked_sub(1).map_or(Count::ZERO, |before| {
            walk.number_of(before).expect("a point")
        });
        let mut gap = |point| {
            let this = walk.number_of(point).expect("a point");
            let gap = this - last;
            last = this;
            gap.as_f64()
        };
        (from..from + count).map(&mut gap).collect()
    }

    /// The numbers of points in consecutive windows, whose start and length are in requests.
    fn counts(seed: u64, from: f64, window: f64, windows: u64) -> Vec<f64> {
        let process = Poisson::new(seed);
        let mut walk = process.walk();
        let bound = |k: u64| Count(((from + window * k as f64) * 2e18) as u128);
        let below: Vec<_> = (0..=windows).map(|k| walk.below(bound(k))).collect();
        let counts = below.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
        counts.collect()
    }

    /// The Kolmogorov–Smirnov test of an exponential distribution with a mean of 1, at a level of 0.001.
    fn is_exponential(gaps: &[f64]) -> bool {
        let mut sorted = gaps.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let distance = sorted.iter().enumerate().map(|(i, gap)| {
            let expected = 1.0 - (-gap).exp();
            let (below, above) = (i as f64 / n, (i + 1) as f64 / n);
            (expected - below).abs().max((expected - above).abs())
        });
        distance.fold(0.0, f64::max) < 1.95 / n.sqrt()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn covariance(a: &[f64], b: &[f64]) -> f64 {
        let (mean_a, mean_b) = (mean(a), mean(b));
        let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
        products.sum::<f64>() / (a.len() as f64 - 1.0)
    }

    /// Whether the correlation of each value with the next is 0, to four standard errors.
    fn are_uncorrelated(values: &[f64]) -> bool {
        let (these, next) = (&values[..values.len() - 1], &values[1..]);
        let correlation = covariance(these, next) / covariance(values, values);
        correlation.abs() < 4.0 / (values.len() as f64).sqrt()
    }

    /// Whether the variance over the mean is 1, as for Poisson numbers, to four standard errors.
    fn are_as_dispersed(counts: &[f64]) -> bool {
        let (n, mean) = (counts.len() as f64, mean(counts));
        let index = covariance(counts, counts) / mean;
        (index - 1.0).abs() < 4.0 * (2.0 / n + 1.0 / (n * mean)).sqrt()
    }

    /// The start of a run, places where blocks and subtrees meet, and a distant place.
    const PLACES: [u64; 5] = [0, 16, (1 << 14) - 100, (1 << 30) - 5_000, 1_000_000_000_000];

    #[test]
    fn gaps_are_exponential_and_independent_anywhere() {
        for (seed, from) in (1..).zip(PLACES) {
            let gaps = gaps(seed, from, 20_000);
            assert!(is_exponential(&gaps), "from {from}");
            assert!(are_uncorrelated(&gaps), "from {from}");
        }
    }

    #[test]
    fn counts_are_as_dispersed_as_poisson_numbers_at_every_scale() {
        for window in [0.5, 3.0, 16.0, 17.3, 64.0, 1e3, 4096.0, 1234567.8, 1e9] {
            for (seed, from) in [(1, 0.0), (2, 1e12 - window * 700.3)] {
                let counts = counts(seed, from, window, 2_000);
                assert!(are_as_dispersed(&counts), "{window} from {from}");
                assert!(are_uncorrelated(&counts), "{window} from {from}");
                let error = (mean(&counts) - window) / (window / 2_000.0).sqrt();
                assert!(error.abs() < 4.0, "{window} from {from}: {error}");
            }
        }
    }

    #[test]
    fn counts_of_different_seeds_are_independent() {
        for length in [1.0, 10.0, 40.0, 100_000.0, 1e15] {
            let of_seed = |seed| counts(seed, 0.0, length, 1)[0];
            let counts: Vec<_> = (0..1_000).map(of_seed).collect();
            assert!(are_as_dispersed(&counts), "{length}");
            assert!(are_uncorrelated(&counts), "{length}");
        }
    }

    #[test]
    fn other_processes_fail_these_tests() {
        let even = vec![1.0; 20_000];
        assert!(!is_exponential(&even));
        let uniform: Vec<_> = (0..20_000).map(|k| f64::from(k) / 10_000.0).collect();
        assert!(!is_exponential(&uniform));
        assert!(!are_uncorrelated(&uniform));
        let slightly_fast: Vec<_> = gaps(1, 0, 20_000).iter().map(|gap| gap * 0.95).collect();
        assert!(!is_exponential(&slightly_fast));
        let of_even: Vec<_> = (0..2_000).map(|k| f64::from(16 + k % 2)).collect();
        assert!(!are_as_dispersed(&of_even));
        let clumped: Vec<_> = counts(1, 0.0, 8.0, 2_000).iter().map(|n| 2.0 * n).collect();
        assert!(!are_as_dispersed(&clumped));
    }

    #[test]
    fn any_number_of_coins_is_fair() {
        let process = Poisson::new(1);
        for coins in [1, 2, 63, 64, 65, 1_000, COINS, COINS + 1, 1 << 40] {
            let mut node = process.block(2);
            let tosses = (0..4_000).map(|index| {
                node.index = index;
                heads(coins, || process.draws(&node)) as f64
            });
            let tosses: Vec<_> = tosses.collect();
            let (n, coins) = (tosses.len() as f64, coins as f64);
            let error = (mean(&tosses) - coins / 2.0) / (coins / 4.0 / n).sqrt();
            assert!(error.abs() < 4.0, "{coins}: {error}");
            let variance = covariance(&tosses, &tosses) / (coins / 4.0);
            let error = (variance - 1.0) / (2.0 / n).sqrt();
            assert!(error.abs() < 4.0, "{coins}: {variance}");
        }
    }

    proptest! {
        #[test]
        fn points_and_counts_agree(
            seed: u64, magnitude in 0u32..62, offset: u64, points in prop::collection::vec(0u64..100, 1..20)
        ) {
            let process = Poisson::new(seed);
            let mut walk = process.walk();
            let from = offset % (1 << magnitude);
            for point in points.into_iter().map(|point| from + point) {
                let number = walk.number_of(point).unwrap();
                prop_assert_eq!(process.walk().number_of(point), Some(number));
                prop_assert!(walk.number_of(point + 1).unwrap() >= number);
                prop_assert!(walk.below(number) <= point);
                prop_assert!(walk.below(number.and_a_bit()) > point);
                prop_assert_eq!(process.walk().below(number), walk.below(number));
            }
        }
    }

    #[test]
    fn the_points_end_where_the_tree_does() {
        let process = Poisson::new(1);
        let total = process.before[BLOCKS];
        assert_eq!(process.walk().below(Count::MAX), total);
        assert_eq!(process.walk().number_of(total), None);
        assert!(process.walk().number_of(total - 1).is_some());
        let off = total as f64 - 2f64.powi(63);
        assert!(off.abs() < 4.0 * 2f64.powf(31.5), "{off}");
    }

    #[test]
    fn a_seed_means_the_same_in_every_version() {
        let process = Poisson::new(1);
        let mut walk = process.walk();
        let near: Vec<_> = (0..3).map(|k| walk.number_of(k).unwrap().0).collect();
        let far = walk.number_of(1_000_000_000_000).unwrap().0;
        assert_eq!(near[0], 39_168_663_313_094_876);
        assert_eq!(near[1], 2_690_987_357_987_212_788);
        assert_eq!(near[2], 3_876_590_097_294_535_916);
        assert_eq!(far, 1_999_995_932_188_099_972_937_632_736_688);
    }
}
