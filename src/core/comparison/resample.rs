//! Resampling of the seconds of runs: how far a number may be off because these seconds, and no others, were measured.
//!
//! The seconds of a run are correlated: a slow one is often followed by another. So they are drawn in blocks of
//! neighbours, with the circular block bootstrap of Politis and Romano ("A circular block-resampling procedure for
//! stationary data", 1992). It draws blocks with equal chances at every second and continues behind the last second at
//! the first one, so that, unlike with the moving blocks of Künsch (Annals of Statistics 17, 1989), the seconds at both
//! ends count as much as the others. The length of the blocks follows Carlstein's rule for an autoregressive series
//! (Annals of Statistics 14, 1986), with the correlation of neighbours as it was measured. It is at least a tenth of the
//! run, since noise hides a correlation from neighbours: ten batches are enough (Schmeiser, Operations Research 30, 1982).
//!
//! The interval is the percentile interval, widened for the small number of blocks as Hesterberg recommends ("What
//! teachers should know about the bootstrap", The American Statistician 69, 2015): by Student's t in place of the normal
//! distribution, with one degree of freedom less than there are blocks, and by the variance that blocks lack.
//!
//! It is an interval of 99 %, because a comparison shows a dozen of them. In simulations of autoregressive seconds with a
//! correlation of up to 0.8 between neighbours, at most 5 % of the comparisons of equal limiters show a number as worse.

/// The number of resamples.
pub(super) const RESAMPLES: usize = 1_000;

/// The fewest seconds from which an interval is made.
pub(super) const FEWEST: usize = 10;

/// How many of a run's seconds make a block, at most: this fraction of them.
const MOST_OF_ALL: usize = 4;

/// The length of the blocks for a series whose neighbours are correlated.
pub(super) fn block_length(series: &[f64]) -> usize {
    let n = series.len();
    let mean = series.iter().sum::<f64>() / n.max(1) as f64;
    let deviations: Vec<_> = series.iter().map(|value| value - mean).collect();
    let variance: f64 = deviations.iter().map(|d| d * d).sum();
    if n < 2 || variance <= 0.0 {
        return (n / FEWEST).max(1);
    }
    let neighbours: f64 = deviations.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let measured = neighbours / variance;
    // The measured correlation of a short series is too small (Kendall, Biometrika 41, 1954).
    let correlation = (measured + (1.0 + 4.0 * measured) / n as f64).clamp(0.0, 0.97);
    let square = correlation * correlation;
    let rule = (6.0 * square / (1.0 - square).powi(2) * n as f64).cbrt();
    let length = (rule.ceil() as usize).max(n / FEWEST);
    length.clamp(1, (n / MOST_OF_ALL).max(1))
}

/// How much wider than the percentile interval an interval of `n` seconds in blocks of this length is.
pub(super) fn widening(n: usize, block: usize) -> f64 {
    let blocks = n / block;
    let lacking = n as f64 / (n - block).max(1) as f64;
    lacking.sqrt() * student(blocks.saturating_sub(1)) / student(usize::MAX)
}

/// The point of Student's t distribution that 0.5 % are above.
pub(super) fn student(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012,
        2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779,
        2.771, 2.763, 2.756, 2.750,
    ];
    match degrees {
        0 => f64::INFINITY,
        few if few <= TABLE.len() => TABLE[few - 1],
        many => 2.576 + 4.9 / many as f64,
    }
}

/// How often each of `n` seconds is in a resample. `random` returns a number below its argument.
pub(super) fn draw(
    n: usize,
    block: usize,
    random: &mut impl FnMut(usize) -> usize,
    times: &mut Vec<f64>,
) {
    times.clear();
    times.resize(n, 0.0);
    let mut drawn = 0;
    while drawn < n {
        let start = random(n);
        for offset in 0..block.min(n - drawn) {
            times[(start + offset) % n] += 1.0;
            drawn += 1;
        }
    }
}

/// The values that 0.5 % of all are below and above.
pub(super) fn middle(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.005), at(0.995))
}
