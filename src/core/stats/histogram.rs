//! Distributions of durations, in memory that depends on the longest duration and not on their number.

use crate::base::Nanos;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Counter;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use std::io::Read;
use std::ops::AddAssign;

/// A histogram of durations with 3 significant digits, from 1 ns to 146 years. It grows by 8 KiB each time that the
/// longest duration doubles, and takes 190 KiB for durations up to 10 s. The algorithm is
/// [HdrHistogram](https://hdrhistogram.org)'s.
#[derive(Debug, Clone)]
pub struct Histogram<C: Counter = u64>(hdrhistogram::Histogram<C>);

/// A histogram with 2 significant digits and 32-bit counts. It takes a fifteenth of the memory.
pub type CoarseHistogram = Histogram<u32>;

/// The percentiles that stand in one line of a report. Without any duration all are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The number of durations.
    pub count: u64,
    /// The durations at [`Percentiles::SHARES`].
    pub spans: [Nanos; 5],
}

impl Percentiles {
    pub const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];
    pub const NAMES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

    /// The fewest durations of which at least one is beyond this share, over 0.99: 1,000 for 0.999. The percentile of fewer
    /// is their maximum, and says nothing else.
    pub const fn least(share: f64) -> u64 {
        (1.0 / (1.0 - share)).round() as u64
    }

    /// The duration at a place of [`Percentiles::SHARES`]. `None` if there are too few for it.
    pub fn at(&self, place: usize) -> Option<Nanos> {
        let share = Self::SHARES[place];
        let is_rare = share > 0.99 && share < 1.0;
        let least = if is_rare { Self::least(share) } else { 1 };
        (self.count >= least).then_some(self.spans[place])
    }

    /// Each of them in nanoseconds, for files: at least 1, and `None` without any duration.
    pub fn nanos(&self) -> [Option<u64>; 5] {
        self.spans
            .map(|span| (self.count > 0).then(|| span.0.max(1)))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram(hdrhistogram::Histogram::new(3).expect("a precision from 0 to 5 digits"))
    }
}

impl CoarseHistogram {
    /// Reads a histogram with 2 significant digits that [`Histogram::encoded`] wrote.
    ///
    /// # Errors
    /// The text is none, or none that a run has.
    pub fn from_encoded(text: &str) -> Result<CoarseHistogram, BadHistogram> {
        let mut own = CoarseHistogram::empty();
        own += &CoarseHistogram::decoded(text, 2)?;
        Ok(own)
    }

    pub(super) fn empty() -> Self {
        Histogram(hdrhistogram::Histogram::new(2).expect("a precision from 0 to 5 digits"))
    }

    /// An empty histogram that grows only for durations over `longest`.
    pub(super) fn up_to(longest: Nanos) -> Self {
        let mut histogram = Self::empty();
        histogram.record(longest);
        histogram.clear();
        histogram
    }
}

/// The reason why a text is not a histogram that this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHistogram {
    #[error("is not base64")]
    NotBase64,
    #[error("is not a compressed HdrHistogram of version 2")]
    NotAHistogram,
    #[error("has a precision of {found} significant digits; it must have {expected}")]
    Digits { found: u32, expected: u8 },
    #[error("is larger than any histogram of durations")]
    TooLarge,
    #[error("counts more durations than any run has")]
    TooMany,
}

/// The longest duration, in nanoseconds: 146 years.
const LONGEST_DURATION: u64 = i64::MAX as u64 / 2;

/// The longest encoded histogram, in bytes of its uncompressed form: one of durations up to 2⁶⁴ ns with 3 digits has 56,320
/// counts of at most 9 bytes each.
const LONGEST: u64 = 512 * 1024;

/// The magic numbers of [HdrHistogram's](https://github.com/HdrHistogram/HdrHistogram) encoding of version 2, compressed and
/// not, and the length of the latter's header.
const COMPRESSED: u32 = 0x1c84_9304 | 0x10;
const UNCOMPRESSED: u32 = 0x1c84_9303 | 0x10;
const HEADER: usize = 40;

/// The most durations of an encoded histogram, so that thousands of them can be added up without an overflow.
pub const MOST_COUNTED: u64 = 1 << 50;

impl<C: Counter> Histogram<C> {
    /// The histogram as text: HdrHistogram's compressed encoding of version 2, in base64. Values are nanoseconds. Libraries for
    /// many languages read it.
    pub fn encoded(&self) -> String {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        written.expect("memory takes everything, and no histogram is too large for its encoding");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Histogram::encoded`] wrote. This takes at most 2 MiB of memory, whatever the text.
    fn decoded(text: &str, digits: u8) -> Result<Histogram<C>, BadHistogram> {
        if text.len() as u64 > 2 * LONGEST {
            return Err(BadHistogram::TooLarge);
        }
        let bytes = STANDARD.decode(text);
        let bytes = bytes.map_err(|_| BadHistogram::NotBase64)?;
        let word = |bytes: &[u8], at: usize| {
            let word = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(word))
        };
        let length = word(&bytes, 4).map(|length| length as usize);
        if word(&bytes, 0) != Some(COMPRESSED) || length != bytes.len().checked_sub(8) {
            return Err(BadHistogram::NotAHistogram);
        }
        // A reader of the library makes room for as much as the header says, so that is checked before.
        let mut plain = Vec::new();
        ZlibDecoder::new(&bytes[8..])
            .take(LONGEST + 1)
            .read_to_end(&mut plain)
            .map_err(|_| BadHistogram::NotAHistogram)?;
        if plain.len() as u64 > LONGEST {
            return Err(BadHistogram::TooLarge);
        }
        let length = word(&plain, 4).map(|length| length as usize);
        if word(&plain, 0) != Some(UNCOMPRESSED) || length != plain.len().checked_sub(HEADER) {
            return Err(BadHistogram::NotAHistogram);
        }
        let found = word(&plain, 12).ok_or(BadHistogram::NotAHistogram)?;
        if found != u32::from(digits) {
            let expected = digits;
            return Err(BadHistogram::Digits { found, expected });
        }
        let read = Deserializer::new().deserialize(&mut &plain[..]);
        let read: hdrhistogram::Histogram<C> = read.map_err(|_| BadHistogram::NotAHistogram)?;
        if read.low() != 1 {
            return Err(BadHistogram::NotAHistogram);
        }
        if read.max() > LONGEST_DURATION {
            return Err(BadHistogram::TooLarge);
        }
        let counts = read.iter_recorded().map(|value| value.count_at_value());
        let count: u128 = counts.map(|count| u128::from(count.as_u64())).sum();
        if count > u128::from(MOST_COUNTED) {
            return Err(BadHistogram::TooMany);
        }
        Ok(Histogram(read))
    }
}

impl Histogram {
    /// Reads a histogram with 3 significant digits that [`Histogram::encoded`] wrote.
    ///
    /// # Errors
    /// The text is none, or none that a run has.
    pub fn from_encoded(text: &str) -> Result<Histogram, BadHistogram> {
        let mut own = Histogram::default();
        own += &Histogram::decoded(text, 3)?;
        Ok(own)
    }

    /// The underlying histogram, in nanoseconds.
    pub fn as_hdr(&self) -> &hdrhistogram::Histogram<u64> {
        &self.0
    }

    /// Rising shares, from 0 to 1, with the [quantile](Histogram::quantile) of each. There are five shares for each halving
    /// of the distance to 1.
    pub fn spectrum(&self) -> impl Iterator<Item = (f64, Nanos)> {
        let points = self.0.iter_quantiles(5);
        points.map(|point| {
            (
                point.quantile_iterated_to(),
                Nanos(point.value_iterated_to()),
            )
        })
    }

    /// The duration at this rank in ascending order, from 1; the longest if there are fewer. It is exact where a quantile's
    /// share would be rounded.
    pub fn at_rank(&self, rank: u64) -> Nanos {
        let mut passed = 0;
        let at = self.recorded().find(|(_, count)| {
            passed += count;
            passed >= rank
        });
        at.map_or_else(|| self.max(), |(span, _)| span)
    }

    /// All durations together, in nanoseconds.
    pub fn sum(&self) -> u128 {
        let median = |span: Nanos| u128::from(self.0.median_equivalent(span.0));
        let recorded = self.recorded();
        recorded
            .map(|(span, count)| median(span) * u128::from(count))
            .sum()
    }
}

impl<C: Counter> Histogram<C> {
    /// Keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Records a duration; one over 146 years counts as 146 years.
    pub fn record(&mut self, span: Nanos) {
        let span = span.0.min(LONGEST_DURATION);
        self.0
            .record(span)
            .expect("a histogram that grows up to this limit");
    }

    /// The memory of its counters, in bytes.
    pub fn memory(&self) -> usize {
        self.0.distinct_values() * size_of::<C>()
    }

    /// The number of counters.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.distinct_values()
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn min(&self) -> Nanos {
        Nanos(self.0.min())
    }

    pub fn mean(&self) -> Nanos {
        Nanos(self.0.mean() as u64)
    }

    pub fn max(&self) -> Nanos {
        Nanos(self.0.max())
    }

    /// The shortest duration that at least this share (0 to 1) of all durations do not exceed; zero without any.
    pub fn quantile(&self, share: f64) -> Nanos {
        Nanos(self.0.value_at_quantile(share))
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count(),
            spans: Percentiles::SHARES.map(|share| self.quantile(share)),
        }
    }

    /// The distinct durations that were recorded, rising, each with its count.
    pub fn recorded(&self) -> impl Iterator<Item = (Nanos, u64)> {
        let values = self.0.iter_recorded();
        values.map(|value| {
            let span = Nanos(value.value_iterated_to());
            (span, value.count_at_value().as_u64())
        })
    }
}

impl AddAssign<&Histogram> for CoarseHistogram {
    fn add_assign(&mut self, other: &Histogram) {
        for (span, count) in other.recorded() {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.0
                .record_n(span.0, count)
                .expect("a histogram that grows as far as the other");
        }
    }
}

impl AddAssign<&Histogram> for Histogram {
    fn add_assign(&mut self, other: &Histogram) {
        self.0.add(&other.0).expect("a histogram that grows");
    }
}

impl From<&Histogram> for CoarseHistogram {
    fn from(fine: &Histogram) -> CoarseHistogram {
        let mut coarse = CoarseHistogram::empty();
        coarse += fine;
        coarse
    }
}

impl AddAssign<&CoarseHistogram> for CoarseHistogram {
    fn add_assign(&mut self, other: &CoarseHistogram) {
        self.0.add(&other.0).expect("a histogram that grows");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percentiles_are_within_a_thousandth(
            mut spans in prop::collection::vec(1u64..600_000_000_000, 1..200), share in 0.01f64..1.0
        ) {
            let mut recorded = Histogram::default();
            spans.iter().for_each(|&span| recorded.record(Nanos(span)));
            spans.sort_unstable();
            let exact = spans[((share * spans.len() as f64).ceil() as usize).max(1) - 1];
            let seen = recorded.quantile(share).0;
            prop_assert!(seen.abs_diff(exact) <= exact / 1_000 + 1, "{} for {}", seen, exact);
        }

        #[test]
        fn a_rank_and_a_sum_are_within_a_thousandth(
            mut spans in prop::collection::vec(0u64..600_000_000_000, 1..200), rank in any::<prop::sample::Index>()
        ) {
            let mut recorded = Histogram::default();
            spans.iter().for_each(|&span| recorded.record(Nanos(span)));
            spans.sort_unstable();
            let (exact, rank) = (rank.get(&spans), rank.index(spans.len()) as u64 + 1);
            let seen = recorded.at_rank(rank).0;
            prop_assert!(seen.abs_diff(*exact) <= exact / 1_000 + 1, "{} for {}", seen, exact);
            let (seen, exact) = (recorded.sum() as u64, spans.iter().sum::<u64>());
            prop_assert!(seen.abs_diff(exact) <= exact / 1_000, "{} for {}", seen, exact);
            prop_assert!(recorded.mean().0.abs_diff(seen / spans.len() as u64) <= 1);
        }
    }

    #[test]
    fn durations_of_any_length_are_recorded() {
        let mut spans = Histogram::default();
        for span in [0, 1, u32::MAX.into(), 40 * 86_400 * 1_000_000_000, u64::MAX] {
            spans.record(Nanos(span));
        }
        assert_eq!(spans.count(), 5);
    }

    /// An encoding with this header and these counts.
    fn encoded(digits: u32, low: u64, high: u64, payload: &[u8]) -> String {
        let mut plain = Vec::new();
        plain.extend(UNCOMPRESSED.to_be_bytes());
        plain.extend((payload.len() as u32).to_be_bytes());
        plain.extend(0u32.to_be_bytes());
        plain.extend(digits.to_be_bytes());
        plain.extend(low.to_be_bytes());
        plain.extend(high.to_be_bytes());
        plain.extend(1f64.to_be_bytes());
        plain.extend(payload);
        let mut deflated = Vec::new();
        let mut encoder =
            flate2::read::ZlibEncoder::new(&plain[..], flate2::Compression::default());
        encoder.read_to_end(&mut deflated).unwrap();
        let mut bytes = COMPRESSED.to_be_bytes().to_vec();
        bytes.extend((deflated.len() as u32).to_be_bytes());
        bytes.extend(deflated);
        STANDARD.encode(bytes)
    }

    proptest! {
        #[test]
        fn a_histogram_is_read_as_it_was_written(spans in prop::collection::vec(0u64..u64::MAX / 2, 0..50)) {
            let mut fine = Histogram::default();
            spans.iter().for_each(|&span| fine.record(Nanos(span)));
            let read = Histogram::<u64>::from_encoded(&fine.encoded()).unwrap();
            prop_assert_eq!(read.recorded().collect::<Vec<_>>(), fine.recorded().collect::<Vec<_>>());
            prop_assert_eq!((read.min(), read.max(), read.mean()), (fine.min(), fine.max(), fine.mean()));
            let coarse = CoarseHistogram::from(&fine);
            let read = CoarseHistogram::from_encoded(&coarse.encoded()).unwrap();
            prop_assert_eq!(read.recorded().collect::<Vec<_>>(), coarse.recorded().collect::<Vec<_>>());
        }

        #[test]
        fn no_text_is_read_as_what_it_is_not(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..200, flip in 0u8..8) {
            let _ = Histogram::<u64>::from_encoded(&STANDARD.encode(&bytes));
            let mut fine = Histogram::default();
            (0..100).for_each(|span| fine.record(Nanos(span * 1_000)));
            let mut mangled = STANDARD.decode(fine.encoded()).unwrap();
            let place = at % mangled.len();
            mangled[place] ^= 1 << flip;
            if let Ok(read) = Histogram::<u64>::from_encoded(&STANDARD.encode(&mangled)) {
                prop_assert!(read.count() <= MOST_COUNTED);
            }
        }
    }

    #[test]
    fn a_text_that_would_take_much_memory_is_refused() {
        let refused = |text: &str| Histogram::<u64>::from_encoded(text).unwrap_err();
        // One duration of 1 ns: no count of 0, then a count of 1, each zigzag encoded.
        let one = encoded(3, 1, 2_047, &[0x01, 0x02]);
        assert_eq!(Histogram::<u64>::from_encoded(&one).unwrap().count(), 1);
        let digits = BadHistogram::Digits {
            found: 5,
            expected: 3,
        };
        assert_eq!(refused(&encoded(5, 1, u64::MAX, &[0x01, 0x02])), digits);
        let bomb = encoded(3, 1, u64::MAX, &vec![0x02; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(refused(&bomb), BadHistogram::TooLarge);
        assert_eq!(refused(&"A".repeat(2 << 20)), BadHistogram::TooLarge);
        // A count of 2⁶².
        let many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
        assert_eq!(refused(&encoded(3, 1, 2_047, &many)), BadHistogram::TooMany);
    }

    #[test]
    fn a_coarse_histogram_keeps_two_digits() {
        let mut exact = Histogram::default();
        for span in [123, 45_678, 9_876_543_210] {
            exact.record(Nanos(span));
        }
        let mut coarse = CoarseHistogram::empty();
        coarse += &exact;
        for (share, span) in [(0.3, 123u64), (0.6, 45_678), (1.0, 9_876_543_210)] {
            let seen = coarse.quantile(share).0;
            assert!(seen.abs_diff(span) * 100 <= span, "{seen} for {span}");
        }
    }
}
