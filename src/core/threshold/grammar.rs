//! From text to a claim, or to the place of what is wrong.

use super::values::Per;
use super::{
    Claim, Comparison, Counted, PerTime, Percent, Percentile, Scope, Statistic, Test, Timed,
};
use crate::base::text::MAX_DURATION;
use crate::base::{FailureKind, Nanos};
use std::fmt::Display;
use std::str::FromStr;

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {allowed}")]
pub struct Wrong {
    /// Where the first token is that is wrong, in characters from 1; past the last one where something is missing.
    pub column: usize,
    /// What may stand there, as the end of a sentence.
    pub allowed: String,
}

impl FromStr for Claim {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Claim, Wrong> {
        let mut cursor = Cursor { text, at: 0 };
        let claim = claim(&mut cursor)?;
        cursor.end()?;
        Ok(claim)
    }
}

const TARGET: &str = "target";
const AUDIT: &str = "audit";
const SCHEDULE: &str = "schedule";
const KEPT: &str = "kept";
const STATISTICS: [&str; 3] = ["min", "mean", "max"];
const COUNT: &str = "count";
const RATE: &str = "rate";
const PER_SECOND: &str = "per_second";
const BETWEEN: &str = "between";
const AND: &str = "and";
const OF: &str = "of";

fn claim(cursor: &mut Cursor) -> Result<Claim, Wrong> {
    let spans = Timed::ALL.map(Timed::name);
    let counted = Counted::ALL.map(Counted::name);
    let numbers = spans.iter().chain(&counted).copied();
    let first: Vec<_> = numbers.clone().chain([AUDIT, SCHEDULE, TARGET]).collect();
    let (of, metric) = match cursor.one_of(&first)? {
        AUDIT => return kept(cursor, Claim::AuditKept),
        SCHEDULE => return kept(cursor, Claim::ScheduleKept),
        TARGET => {
            let of = target(cursor)?;
            let by_target = Timed::ALL.into_iter().filter(|spans| spans.is_by_target());
            let numbers: Vec<_> = by_target.map(Timed::name).chain(counted).collect();
            (of, cursor.one_of(&numbers)?)
        }
        metric => (Scope::All, metric),
    };
    if let Some(spans) = Timed::ALL.into_iter().find(|spans| spans.name() == metric) {
        cursor.symbol(".", metric)?;
        return Ok(Claim::Time {
            of,
            spans,
            at: statistic(cursor)?,
            test: test(cursor)?,
        });
    }
    let found = Counted::ALL.into_iter().find(|what| what.name() == metric);
    let mut what = found.expect("one of the names");
    if what == Counted::Failed && cursor.skip("[") {
        let kinds = FailureKind::ALL.map(FailureKind::name);
        let name = cursor.one_of(&kinds)?;
        let kind = FailureKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name);
        what = Counted::FailedBy(kind.expect("one of the names"));
        cursor.symbol("]", name)?;
    }
    cursor.symbol(".", metric)?;
    let counts = match what.bases() {
        [] => &[COUNT, PER_SECOND][..],
        _ => &[COUNT, RATE, PER_SECOND],
    };
    Ok(match cursor.one_of(counts)? {
        COUNT => Claim::Count {
            of,
            what,
            test: test(cursor)?,
        },
        PER_SECOND => Claim::PerSecond {
            of,
            what,
            test: test(cursor)?,
        },
        _ => Claim::Share {
            of,
            what,
            test: test(cursor)?,
            base: base(cursor, what)?,
        },
    })
}

fn kept(cursor: &mut Cursor, claim: Claim) -> Result<Claim, Wrong> {
    let comparison = cursor.peek_operator();
    if comparison.text != Comparison::Equal.name() {
        return Err(comparison.wrong(format!("must be = {KEPT}")));
    }
    cursor.take(comparison);
    cursor.one_of(&[KEPT])?;
    Ok(claim)
}

fn target(cursor: &mut Cursor) -> Result<Scope, Wrong> {
    cursor.symbol("[", TARGET)?;
    let number = cursor.peek_word();
    let place = number.text.parse::<usize>().ok();
    let place = place.and_then(|number| number.checked_sub(1));
    let place = place.ok_or_else(|| {
        number.wrong("must be a target's number, from 1 in the order in which they are given")
    })?;
    cursor.take(number);
    cursor.symbol("]", number.text)?;
    cursor.symbol(".", TARGET)?;
    Ok(Scope::Target(place))
}

fn statistic(cursor: &mut Cursor) -> Result<Statistic, Wrong> {
    let name = cursor.peek_percentile();
    let statistic = match name.text {
        "min" => Some(Statistic::Min),
        "mean" => Some(Statistic::Mean),
        "max" => Some(Statistic::Max),
        other => other.parse::<Percentile>().ok().map(Statistic::Percentile),
    };
    let statistic = statistic.ok_or_else(|| {
        let form =
            "must be min, mean, max, or a percentile of two digits such as p50, p99 or p99.9";
        match meant_statistic(name.text) {
            Some(meant) => name.wrong(format!("{form}; did you mean {meant}?")),
            None => name.wrong(form),
        }
    })?;
    cursor.take(name);
    Ok(statistic)
}

/// What `p9`, `p999` or `p100` stand for elsewhere, or a name like it.
fn meant_statistic(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['p', 'P']).unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let meant = match digits.len() {
        _ if !number => return similar(text, &STATISTICS).map(str::to_owned),
        _ if digits == "100" => "max".to_owned(),
        1 => format!("p{digits}0"),
        2 => format!("p{digits}"),
        3..=5 => format!("p{}.{}", &digits[..2], &digits[2..]),
        _ => return None,
    };
    let valid = meant == "max" || meant.parse::<Percentile>().is_ok();
    valid.then_some(meant)
}

fn base(cursor: &mut Cursor, what: Counted) -> Result<Counted, Wrong> {
    let bases = what.bases();
    let of = cursor.peek_word();
    if of.text != OF {
        return Ok(bases[0]);
    }
    cursor.take(of);
    let names: Vec<_> = bases.iter().map(|base| base.name()).collect();
    let name = cursor.one_of(&names)?;
    let base = bases.iter().find(|base| base.name() == name);
    Ok(*base.expect("one of the names"))
}

fn test<V: Value>(cursor: &mut Cursor) -> Result<Test<V>, Wrong> {
    let operator = cursor.peek_operator();
    if operator.text == BETWEEN {
        cursor.take(operator);
        let low = V::read(cursor)?;
        cursor.one_of(&[AND])?;
        let second = cursor.peek_word();
        let high = V::read(cursor)?;
        return match low <= high {
            true => Ok(Test::Between(low, high)),
            false => Err(second.wrong(format!("must be no less than {low}"))),
        };
    }
    let comparison = Comparison::ALL
        .into_iter()
        .find(|comparison| comparison.name() == operator.text);
    let comparison = comparison.ok_or_else(|| {
        let form = format!("must be <, <=, >, >=, =, != or {BETWEEN}");
        let meant = match operator.text {
            "==" | "is" => Some("="),
            "=<" | "≤" => Some("<="),
            "=>" | "≥" => Some(">="),
            "<>" | "≠" => Some("!="),
            other => similar(other, &[BETWEEN]),
        };
        match meant {
            Some(meant) => operator.wrong(format!("{form}; did you mean {meant}?")),
            None => operator.wrong(form),
        }
    })?;
    cursor.take(operator);
    Ok(Test::Is(comparison, V::read(cursor)?))
}

/// What a number of some kind is compared with.
trait Value: Copy + PartialOrd + Display {
    fn read(cursor: &mut Cursor) -> Result<Self, Wrong>;
}

impl Value for u64 {
    fn read(cursor: &mut Cursor) -> Result<u64, Wrong> {
        const FORM: &str = "must be a whole number such as 10";
        let number = cursor.peek_number();
        let value = number.text.parse().map_err(|_| number.wrong(FORM))?;
        cursor.take(number);
        Ok(value)
    }
}

impl Value for Percent {
    fn read(cursor: &mut Cursor) -> Result<Percent, Wrong> {
        const FORM: &str = "must be a share from 0% to 100%, with at most 9 decimals, such as 0.1%";
        let number = cursor.peek_number();
        let share = scaled(number.text, Percent::DECIMALS);
        let share = share.filter(|share| *share <= Percent::WHOLE.0.into());
        let share = share.ok_or_else(|| number.wrong(FORM))?;
        cursor.take(number);
        cursor.symbol("%", number.text)?;
        Ok(Percent(share as u64))
    }
}

impl Value for PerTime {
    fn read(cursor: &mut Cursor) -> Result<PerTime, Wrong> {
        const FORM: &str =
            "must be a rate up to 1000000000/s, with at most 6 decimals, such as 1.7/s or 100/m";
        let number = cursor.peek_number();
        let micro = scaled(number.text, PerTime::DECIMALS);
        let micro = micro.filter(|micro| *micro <= PerTime::MOST.into());
        let micro = micro.ok_or_else(|| number.wrong(FORM))? as u64;
        cursor.take(number);
        cursor.symbol("/", number.text)?;
        let name = cursor.one_of(&Per::ALL.map(Per::name))?;
        let per = Per::ALL.into_iter().find(|per| per.name() == name);
        let per = per.expect("one of the names");
        Ok(PerTime { micro, per })
    }
}

/// In nanoseconds, longest first; of those of one length the first is a microsecond's usual sign.
const UNITS: [(&str, u64); 9] = [
    ("d", 24 * 3600 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    // The micro sign, and the Greek letter.
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ns", 1),
];

impl Value for Nanos {
    /// One or more numbers with units, each smaller than the one before.
    fn read(cursor: &mut Cursor) -> Result<Nanos, Wrong> {
        const FORM: &str =
            "must be a time up to 3650d, in whole nanoseconds, such as 50ms, 1.5s or 100us";
        const UNIT: &str = "must be a unit of time: ns, us, µs, ms, s, m, h or d";
        let mut number = cursor.peek_number();
        let (first, mut sum, mut smallest) = (number, 0u128, u64::MAX);
        while number.text.starts_with(|c: char| c.is_ascii_digit()) || smallest == u64::MAX {
            let Some((mantissa, decimals)) = decimal(number.text) else {
                return Err(number.wrong(FORM));
            };
            cursor.take(number);
            let unit = cursor.peek_letters();
            let nanos = UNITS.iter().find(|(name, _)| *name == unit.text);
            let Some((_, nanos)) = nanos else {
                return Err(unit.wrong(UNIT));
            };
            if *nanos >= smallest {
                return Err(unit.wrong("must be a smaller unit of time than the one before"));
            }
            let product = mantissa.checked_mul(u128::from(*nanos));
            let scale = 10u128.pow(decimals);
            let exact = product.filter(|product| product.is_multiple_of(scale));
            let exact = exact.ok_or_else(|| number.wrong(FORM))? / scale;
            cursor.take(unit);
            (sum, smallest) = (sum.saturating_add(exact), *nanos);
            number = cursor.peek_number();
        }
        match sum <= MAX_DURATION.as_nanos() {
            true => Ok(Nanos(sum as u64)),
            false => Err(first.wrong(FORM)),
        }
    }
}

/// Digits, and how many of them are decimals.
fn decimal(text: &str) -> Option<(u128, u32)> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, decimals)) => (whole, decimals),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // More than enough for any number that is allowed, and few enough for a scale that fits.
    let valid = !whole.is_empty() && digits(whole) && digits(decimals) && decimals.len() <= 30;
    let all = format!("{whole}{decimals}");
    Some((all.parse().ok().filter(|_| valid)?, decimals.len() as u32))
}

/// A number in units of 10 to the power of minus `decimals`; `None` if it is no whole number of them.
fn scaled(text: &str, decimals: u32) -> Option<u128> {
    let (mantissa, has) = decimal(text)?;
    match decimals.checked_sub(has) {
        Some(fewer) => mantissa.checked_mul(10u128.pow(fewer)),
        None => {
            let scale = 10u128.pow(has - decimals);
            mantissa.is_multiple_of(scale).then(|| mantissa / scale)
        }
    }
}

/// One of `names` that may have been meant.
fn similar<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&text.to_lowercase(), name);
    let best = names
        .iter()
        .map(|name| (likeness(name), *name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, name)| name)
}

struct Cursor<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

/// What is to come next: empty at the end of the text, or where the next character is no part of such a token.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    /// In bytes.
    end: usize,
    column: usize,
}

impl Token<'_> {
    fn wrong(&self, allowed: impl Into<String>) -> Wrong {
        Wrong {
            column: self.column,
            allowed: allowed.into(),
        }
    }
}

impl<'a> Cursor<'a> {
    /// What begins after blanks, as long as it has these characters.
    fn peek(&self, belongs: impl Fn(char) -> bool) -> Token<'a> {
        let rest = &self.text[self.at..];
        let begins = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.text[begins..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        Token {
            text: &rest[..length],
            end: begins + length,
            column: self.text[..begins].chars().count() + 1,
        }
    }

    fn peek_word(&self) -> Token<'a> {
        self.peek(|c| c.is_alphanumeric() || c == '_')
    }

    fn peek_number(&self) -> Token<'a> {
        self.peek(|c| c.is_ascii_digit() || c == '.')
    }

    fn peek_letters(&self) -> Token<'a> {
        self.peek(char::is_alphabetic)
    }

    /// A word, with the decimals of a percentile.
    fn peek_percentile(&self) -> Token<'a> {
        let word = self.peek_word();
        let decimals = self.text[word.end..].strip_prefix('.');
        let digits = word.text.strip_prefix('p').unwrap_or_default();
        let has_digits = digits.starts_with(|c: char| c.is_ascii_digit());
        match decimals {
            Some(decimals) if has_digits && decimals.starts_with(char::is_alphanumeric) => {
                self.peek(|c| c.is_alphanumeric() || c == '_' || c == '.')
            }
            _ => word,
        }
    }

    /// A sign or a word.
    fn peek_operator(&self) -> Token<'a> {
        let sign = self.peek(|c| "<>=!≤≥≠".contains(c));
        match sign.text {
            "" => self.peek_word(),
            _ => sign,
        }
    }

    fn take(&mut self, token: Token) {
        self.at = token.end;
    }

    fn one_of<'n>(&mut self, names: &[&'n str]) -> Result<&'n str, Wrong> {
        let word = self.peek_word();
        let Some(name) = names.iter().find(|name| **name == word.text) else {
            let form = match names {
                [only] => format!("must be {only}"),
                names => format!("must be one of {}", names.join(", ")),
            };
            return Err(match similar(word.text, names) {
                Some(meant) if names.len() > 1 => {
                    word.wrong(format!("{form}; did you mean {meant}?"))
                }
                _ => word.wrong(form),
            });
        };
        self.take(word);
        Ok(name)
    }

    fn skip(&mut self, symbol: &str) -> bool {
        let next = self.peek(|_| true);
        let is_next = next.text.starts_with(symbol);
        if is_next {
            self.at = next.end - next.text.len() + symbol.len();
        }
        is_next
    }

    fn symbol(&mut self, symbol: &str, after: &str) -> Result<(), Wrong> {
        let next = self.peek(|_| true);
        match self.skip(symbol) {
            true => Ok(()),
            false => Err(next.wrong(format!("must be {symbol} after {after}"))),
        }
    }

    fn end(&self) -> Result<(), Wrong> {
        let rest = self.peek(|_| true);
        match rest.text {
            "" => Ok(()),
            _ => Err(rest.wrong("must be nothing more")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comparison() -> impl Strategy<Value = Comparison> {
        prop::sample::select(Comparison::ALL.as_slice())
    }

    fn test_of<V: Copy + PartialOrd + std::fmt::Debug + 'static>(
        value: impl Strategy<Value = V> + Clone + 'static,
    ) -> BoxedStrategy<Test<V>> {
        let between = (value.clone(), value.clone()).prop_map(|(a, b)| match a <= b {
            true => Test::Between(a, b),
            false => Test::Between(b, a),
        });
        prop_oneof![
            (comparison(), value).prop_map(|(comparison, value)| Test::Is(comparison, value)),
            between,
        ]
        .boxed()
    }

    fn scope() -> impl Strategy<Value = Scope> {
        prop_oneof![Just(Scope::All), (0usize..1_000).prop_map(Scope::Target)]
    }

    fn counted() -> impl Strategy<Value = Counted> {
        prop_oneof![
            prop::sample::select(Counted::ALL.as_slice()),
            prop::sample::select(FailureKind::ALL.as_slice()).prop_map(Counted::FailedBy),
        ]
    }

    fn statistic() -> impl Strategy<Value = Statistic> {
        let percentile = (1u32..100_000).prop_map(|thousandths| {
            Statistic::Percentile(Percentile::from_thousandths(thousandths).unwrap())
        });
        prop_oneof![
            Just(Statistic::Min),
            Just(Statistic::Mean),
            Just(Statistic::Max),
            percentile,
        ]
    }

    pub(in crate::core::threshold) fn claims() -> impl Strategy<Value = Claim> {
        let nanos = prop_oneof![
            (0u64..100).prop_map(Nanos),
            (0..MAX_DURATION.as_nanos() as u64).prop_map(Nanos),
            (0u64..10_000).prop_map(|ms| Nanos(ms * 1_000_000)),
        ];
        let percent = prop_oneof![
            (0..=Percent::WHOLE.0).prop_map(Percent),
            (0u64..=100).prop_map(|whole| Percent(whole * 1_000_000_000)),
        ];
        let per = prop::sample::select(Per::ALL.as_slice());
        let rate = (0..=PerTime::MOST, per).prop_map(|(micro, per)| PerTime { micro, per });
        let time = (
            scope(),
            prop::sample::select(Timed::ALL.as_slice()),
            statistic(),
            test_of(nanos),
        );
        let count = (scope(), counted(), test_of(any::<u64>()));
        let share = (
            scope(),
            counted(),
            any::<prop::sample::Index>(),
            test_of(percent),
        );
        let per_second = (scope(), counted(), test_of(rate));
        prop_oneof![
            Just(Claim::AuditKept),
            Just(Claim::ScheduleKept),
            time.prop_map(|(of, spans, at, test)| Claim::Time {
                of: if spans.is_by_target() { of } else { Scope::All },
                spans,
                at,
                test,
            }),
            count.prop_map(|(of, what, test)| Claim::Count { of, what, test }),
            per_second.prop_map(|(of, what, test)| Claim::PerSecond { of, what, test }),
            share
                .prop_filter("a part of something", |(_, what, ..)| {
                    !what.bases().is_empty()
                })
                .prop_map(|(of, what, base, test)| Claim::Share {
                    of,
                    what,
                    base: *base.get(what.bases()),
                    test,
                }),
        ]
    }

    fn column(text: &str) -> usize {
        text.parse::<Claim>().expect_err(text).column
    }

    proptest! {
        #[test]
        fn every_claim_reads_back_as_itself(claim in claims()) {
            let text = claim.to_string();
            prop_assert_eq!(text.parse(), Ok(claim), "{}", text);
        }

        #[test]
        fn blanks_are_free(claim in claims(), blanks in "[ \t]{0,3}") {
            let text = claim.to_string();
            let wide = text.replace(' ', &format!(" {blanks}"));
            let wide = wide.replace('[', &format!("{blanks}[{blanks}"));
            let wide = format!("{blanks}{wide}{blanks}");
            prop_assert_eq!(wide.parse(), Ok(claim), "{}", wide);
        }

        #[test]
        fn any_text_is_a_claim_or_wrong_at_a_column_within_it(text in "\\PC{0,40}") {
            if let Err(wrong) = text.parse::<Claim>() {
                prop_assert!((1..=text.chars().count() + 1).contains(&wrong.column), "{:?}", wrong);
            }
        }

        #[test]
        fn a_mangled_claim_is_a_claim_or_wrong_at_a_column_within_it(
            claim in claims(), at in any::<prop::sample::Index>(), cut in 0usize..4, more in "\\PC{0,4}"
        ) {
            let mut text: Vec<_> = claim.to_string().chars().collect();
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, more.chars());
            let text: String = text.into_iter().collect();
            match text.parse::<Claim>() {
                Ok(claim) => prop_assert_eq!(claim.to_string().parse(), Ok(claim)),
                Err(wrong) => {
                    prop_assert!((1..=text.chars().count() + 1).contains(&wrong.column), "{:?}", wrong);
                }
            }
        }

        #[test]
        fn the_column_is_that_of_the_first_wrong_token(
            claim in claims(), place in any::<prop::sample::Index>()
        ) {
            let text = claim.to_string();
            let begins = text.match_indices(' ').map(|(blank, _)| blank + 1);
            let begins: Vec<_> = std::iter::once(0).chain(begins).collect();
            let begin = *place.get(&begins);
            let wrong = format!("{}@{}", &text[..begin], &text[begin..]);
            prop_assert_eq!(column(&wrong), text[..begin].chars().count() + 1, "{}", wrong);
        }
    }

    #[test]
    fn thresholds_are_as_documented() {
        for (text, shown) in [
            ("latency.p99 < 50ms", "latency.p99 < 50ms"),
            ("latency.p99<0.05s", "latency.p99 < 50ms"),
            ("send_lag . max <= 100 us", "send_lag.max <= 100µs"),
            ("connect.mean > 100µs", "connect.mean > 100µs"),
            ("tls.min != 100μs", "tls.min != 100µs"),
            ("lookup.p99.9 < 1m30s", "lookup.p99.9 < 90s"),
            ("service_time.p50 >= 1s 5ms", "service_time.p50 >= 1.005s"),
            ("failed.rate < 0.1%", "failed.rate < 0.1%"),
            (
                "blocked.rate between 10% and 40%",
                "blocked.rate between 10% and 40%",
            ),
            ("sent.rate > 99% of scheduled", "sent.rate > 99%"),
            (
                "allowed.rate > 99.50 % of success",
                "allowed.rate > 99.5% of success",
            ),
            ("failed[timeout].count = 0", "failed[timeout].count = 0"),
            (
                "failed[status_5xx].rate<50%of failed",
                "failed[status_5xx].rate < 50% of failed",
            ),
            ("allowed.per_second < 1.7/s", "allowed.per_second < 1.7/s"),
            ("allowed.per_second<100 / m", "allowed.per_second < 100/m"),
            ("audit=kept", "audit = kept"),
            ("schedule = kept", "schedule = kept"),
            (
                "target[2].latency.p99 < 20ms",
                "target[2].latency.p99 < 20ms",
            ),
        ] {
            let claim = text.parse::<Claim>().expect(text);
            assert_eq!(claim.to_string(), shown);
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_column() {
        for (text, column, says) in [
            ("", 1, "must be one of latency, "),
            ("   ", 4, "must be one of latency, "),
            ("latncy.p99 < 1ms", 1, "did you mean latency?"),
            ("Latency.p99 < 1ms", 1, "did you mean latency?"),
            ("latency", 8, "must be . after latency"),
            ("latency p99 < 1ms", 9, "must be . after latency"),
            ("latency.", 9, "p99.9"),
            ("latency.p9 < 50ms", 9, "did you mean p90?"),
            ("latency.p999 < 50ms", 9, "did you mean p99.9?"),
            ("latency.p100 < 50ms", 9, "did you mean max?"),
            ("latency.avg < 50ms", 9, "must be min, mean, max"),
            ("latency.maxx < 50ms", 9, "did you mean max?"),
            ("latency.p99.9999 < 50ms", 9, "two digits"),
            ("latency.count < 50", 9, "must be min, mean, max"),
            (
                "latency.p99 50ms",
                13,
                "must be <, <=, >, >=, =, != or between",
            ),
            ("latency.p99 == 50ms", 13, "did you mean =?"),
            ("latency.p99 ≤ 50ms", 13, "did you mean <=?"),
            ("latency.p99 <", 14, "must be a time"),
            ("latency.p99 < 50", 17, "must be a unit of time"),
            ("latency.p99 < 50 mss", 18, "must be a unit of time"),
            ("latency.p99 < 50%", 17, "must be a unit of time"),
            ("latency.p99 < -5ms", 15, "must be a time"),
            ("latency.p99 < 1.2.3ms", 15, "must be a time"),
            ("latency.p99 < 0.5ns", 15, "whole nanoseconds"),
            ("latency.p99 < 3651d", 15, "up to 3650d"),
            ("latency.p99 < 5ms 1s", 20, "smaller unit"),
            ("latency.p99 < 50ms please", 20, "must be nothing more"),
            ("latency.p99 between 5ms", 24, "must be and"),
            ("latency.p99 between 5ms and 4ms", 29, "no less than 5ms"),
            ("failed.rate < 5", 16, "must be % after 5"),
            ("failed.rate < 101%", 15, "from 0% to 100%"),
            (
                "failed.rate < 5% of dropped",
                21,
                "must be one of sent, scheduled",
            ),
            ("sent.rate > 5% of sent", 19, "must be scheduled"),
            (
                "scheduled.rate > 5%",
                11,
                "must be one of count, per_second",
            ),
            ("failed[slow].count = 0", 8, "must be one of dns, "),
            ("failed[timeout.count = 0", 15, "must be ] after timeout"),
            ("failed.count < 0.5", 16, "whole number"),
            ("failed.count < 5%", 17, "nothing more"),
            ("failed.count < 99999999999999999999", 16, "whole number"),
            ("allowed.per_second < 5", 23, "must be / after 5"),
            ("allowed.per_second < 5/d", 24, "must be one of s, m, h"),
            ("audit < kept", 7, "must be = kept"),
            ("audit = broken", 9, "must be kept"),
            ("target.latency.p99 < 1ms", 7, "must be [ after target"),
            ("target[0].latency.p99 < 1ms", 8, "from 1"),
            ("target[http://h].latency.p99 < 1ms", 8, "target's number"),
            (
                "target[1].send_lag.p99 < 1ms",
                11,
                "must be one of latency, service_time, ",
            ),
            (
                "target[1].audit = kept",
                11,
                "must be one of latency, service_time, ",
            ),
        ] {
            let wrong = text.parse::<Claim>().expect_err(text);
            assert_eq!(wrong.column, column, "{text}: {wrong}");
            assert!(wrong.allowed.contains(says), "{text}: {wrong}");
        }
    }
}
