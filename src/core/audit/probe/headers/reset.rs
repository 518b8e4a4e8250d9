//! `RateLimit-Reset` and `X-RateLimit-Reset`: some servers send seconds in them, others a Unix time.

use super::items::{shown, whole};

/// The value of such a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Reset {
    pub header: &'static str,
    value: String,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The number of seconds from the answer on, rounded up.
    Seconds(u64),
    /// An instant, and how many seconds it is after the answer's own `Date`, if that has one; 0 if before.
    Instant(UnixTime, Option<u64>),
}

/// A number that counts from the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixTime {
    Seconds(u64),
    Millis(u64),
}

impl Reset {
    /// Reads a number, whose fraction is rounded up. `now` is the answer's own `Date` in seconds since 1970. Returns
    /// `None` if it is no number.
    pub fn of(header: &'static str, value: &str, now: Option<i64>) -> Option<Reset> {
        let (integer, fraction) = value.split_once('.').unwrap_or((value, "0"));
        let number = whole(integer)?.saturating_add(u64::from(whole(fraction)? > 0));
        let when = match UnixTime::of(number, now) {
            Some(time) => When::Instant(time, now.map(|now| time.after(now))),
            None => When::Seconds(number),
        };
        Some(Reset {
            header,
            value: shown(value),
            when,
        })
    }

    /// The number of seconds from the answer on, if it is known.
    pub fn seconds(&self) -> Option<u64> {
        match self.when {
            When::Seconds(seconds) => Some(seconds),
            When::Instant(_, seconds) => seconds,
        }
    }

    pub fn is_instant(&self) -> bool {
        matches!(self.when, When::Instant(..))
    }

    /// Says which unit it is in.
    pub fn words(&self) -> String {
        let Reset { header, value, .. } = self;
        match self.when {
            When::Seconds(_) => format!("{header} was {value}, which is a number of seconds"),
            When::Instant(time, Some(seconds)) => format!(
                "{header} was {value}, which is {}, {seconds} s after the answer's Date",
                time.words()
            ),
            When::Instant(time, None) => format!(
                "{header} was {value}, which is {}, and the answer had no Date to compare it with",
                time.words()
            ),
        }
    }
}

impl UnixTime {
    /// Recognizes a Unix time: a number that is nearer to `now`, in seconds since 1970, than to zero. Without `now`, it
    /// is one from September 2001 to November 2286, the times with as many digits as today's.
    pub fn of(number: u64, now: Option<i64>) -> Option<UnixTime> {
        const TEN_DIGITS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;
        let now = now.and_then(|now| u64::try_from(now).ok());
        let is_near = |seconds: u64| match now {
            Some(now) => seconds.abs_diff(now) < now / 2,
            None => TEN_DIGITS.contains(&seconds),
        };
        if is_near(number) {
            Some(UnixTime::Seconds(number))
        } else if is_near(number / 1_000) {
            Some(UnixTime::Millis(number))
        } else {
            None
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            UnixTime::Seconds(_) => "a Unix time",
            UnixTime::Millis(_) => "a Unix time in milliseconds",
        }
    }

    pub fn number(self) -> u64 {
        let (UnixTime::Seconds(number) | UnixTime::Millis(number)) = self;
        number
    }

    /// How many seconds it is after `now`, rounded up; 0 if before.
    fn after(self, now: i64) -> u64 {
        let seconds = match self {
            UnixTime::Seconds(seconds) => seconds,
            UnixTime::Millis(millis) => millis.div_ceil(1_000),
        };
        seconds.saturating_sub(u64::try_from(now).unwrap_or(0))
    }
}
