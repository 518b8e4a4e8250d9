//! What numbers are compared with.

use super::ratio::Ratio;
use crate::base::Nanos;
use std::fmt;

impl From<Nanos> for Ratio {
    fn from(nanos: Nanos) -> Ratio {
        Ratio::whole(nanos.0)
    }
}

impl From<u64> for Ratio {
    fn from(number: u64) -> Ratio {
        Ratio::whole(number)
    }
}

/// A share, in thousand-millionths of a percent, up to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u64);

impl Percent {
    pub const DECIMALS: u32 = 9;
    pub const WHOLE: Percent = Percent(100 * 10u64.pow(Percent::DECIMALS));
}

impl From<Percent> for Ratio {
    fn from(percent: Percent) -> Ratio {
        Ratio {
            over: percent.0.into(),
            under: Percent::WHOLE.0.into(),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", Decimal(self.0, Percent::DECIMALS))
    }
}

/// So many requests in a unit of time.
#[derive(Debug, Clone, Copy)]
pub struct PerTime {
    /// In millionths, up to [`PerTime::MOST`].
    pub micro: u64,
    pub per: Per,
}

impl PerTime {
    pub const DECIMALS: u32 = 6;
    pub const MOST: u64 = 1_000_000_000 * 10u64.pow(PerTime::DECIMALS);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    pub const ALL: [Per; 3] = [Per::Second, Per::Minute, Per::Hour];

    pub fn name(self) -> &'static str {
        match self {
            Per::Second => "s",
            Per::Minute => "m",
            Per::Hour => "h",
        }
    }

    fn seconds(self) -> u64 {
        match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
        }
    }
}

impl From<PerTime> for Ratio {
    /// Requests per second.
    fn from(rate: PerTime) -> Ratio {
        let micro = 10u128.pow(PerTime::DECIMALS);
        Ratio {
            over: rate.micro.into(),
            under: micro * u128::from(rate.per.seconds()),
        }
    }
}

impl PartialEq for PerTime {
    fn eq(&self, other: &PerTime) -> bool {
        Ratio::from(*self) == Ratio::from(*other)
    }
}

impl Eq for PerTime {}

impl PartialOrd for PerTime {
    fn partial_cmp(&self, other: &PerTime) -> Option<std::cmp::Ordering> {
        Some(Ratio::from(*self).cmp(&Ratio::from(*other)))
    }
}

impl fmt::Display for PerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = Decimal(self.micro, PerTime::DECIMALS);
        write!(f, "{number}/{}", self.per.name())
    }
}

/// A number in units of 10 to the power of minus so many decimals, shown with those it has.
struct Decimal(u64, u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10u64.pow(self.1);
        let (whole, part) = (self.0 / one, self.0 % one);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0width$}", width = self.1 as usize);
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}
