//! What can be asked.

use super::{Comparison, PerTime, Percent, Percentile, Test};
use crate::base::{FailureKind, Nanos};
use std::fmt;

/// What is asked of a run. Its text reads back as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The generator did what was asked of it.
    ScheduleKept,
    /// The limiter kept its limit.
    AuditKept,
    Time {
        of: Scope,
        spans: Timed,
        at: Statistic,
        test: Test<Nanos>,
    },
    Count {
        of: Scope,
        what: Counted,
        test: Test<u64>,
    },
    /// A share of `base`, one of [`Counted::bases`].
    Share {
        of: Scope,
        what: Counted,
        base: Counted,
        test: Test<Percent>,
    },
    PerSecond {
        of: Scope,
        what: Counted,
        test: Test<PerTime>,
    },
}

/// Which requests it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Those to one target, by its place in the plan, from 0.
    Target(usize),
}

/// A kind of time spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    Latency,
    ServiceTime,
    SendLag,
    Connect,
    Tls,
    Lookup,
}

impl Timed {
    pub const ALL: [Timed; 6] = [
        Timed::Latency,
        Timed::ServiceTime,
        Timed::SendLag,
        Timed::Connect,
        Timed::Tls,
        Timed::Lookup,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Timed::Latency => "latency",
            Timed::ServiceTime => "service_time",
            Timed::SendLag => "send_lag",
            Timed::Connect => "connect",
            Timed::Tls => "tls",
            Timed::Lookup => "lookup",
        }
    }

    /// Whether it is known of each target.
    pub fn is_by_target(self) -> bool {
        matches!(self, Timed::Latency | Timed::ServiceTime)
    }
}

/// One number of many time spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    Min,
    Mean,
    Max,
    Percentile(Percentile),
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statistic::Min => f.write_str("min"),
            Statistic::Mean => f.write_str("mean"),
            Statistic::Max => f.write_str("max"),
            Statistic::Percentile(percentile) => write!(f, "{percentile}"),
        }
    }
}

/// Requests that have something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Scheduled,
    Sent,
    Dropped,
    Unsent,
    Allowed,
    Blocked,
    Success,
    Failed,
    FailedBy(FailureKind),
    Abandoned,
}

impl Counted {
    /// But for failures by kind.
    pub const ALL: [Counted; 9] = [
        Counted::Scheduled,
        Counted::Sent,
        Counted::Dropped,
        Counted::Unsent,
        Counted::Allowed,
        Counted::Blocked,
        Counted::Success,
        Counted::Failed,
        Counted::Abandoned,
    ];

    /// Without the kind of a failure.
    pub fn name(self) -> &'static str {
        match self {
            Counted::Scheduled => "scheduled",
            Counted::Sent => "sent",
            Counted::Dropped => "dropped",
            Counted::Unsent => "unsent",
            Counted::Allowed => "allowed",
            Counted::Blocked => "blocked",
            Counted::Success => "success",
            Counted::Failed | Counted::FailedBy(_) => "failed",
            Counted::Abandoned => "abandoned",
        }
    }

    /// What it can be a share of: each has these requests among others. The first unless another is said.
    pub fn bases(self) -> &'static [Counted] {
        use Counted::{Failed, Scheduled, Sent, Success};
        match self {
            Counted::Scheduled => &[],
            Counted::Sent | Counted::Dropped | Counted::Unsent => &[Scheduled],
            Counted::Allowed | Counted::Blocked => &[Sent, Scheduled, Success],
            Counted::Success | Counted::Failed | Counted::Abandoned => &[Sent, Scheduled],
            Counted::FailedBy(_) => &[Sent, Scheduled, Failed],
        }
    }

    fn is_of_the_generator(self) -> bool {
        use Counted::{Dropped, Scheduled, Sent, Unsent};
        matches!(self, Scheduled | Sent | Dropped | Unsent)
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Counted::FailedBy(kind) => write!(f, "[{kind}]"),
            _ => Ok(()),
        }
    }
}

impl Claim {
    /// Whether it is about the generator itself, and so stands whether or not that kept its schedule. An audit knows
    /// itself what it can tell of a schedule that was not kept.
    pub fn always_stands(&self) -> bool {
        match self {
            Claim::ScheduleKept | Claim::AuditKept => true,
            Claim::Time { spans, .. } => *spans == Timed::SendLag,
            Claim::Count { what, .. }
            | Claim::Share { what, .. }
            | Claim::PerSecond { what, .. } => what.is_of_the_generator(),
        }
    }

    /// The target that it is about, by its place in the plan.
    pub fn target(&self) -> Option<usize> {
        match self {
            Claim::Time { of, .. }
            | Claim::Count { of, .. }
            | Claim::Share { of, .. }
            | Claim::PerSecond { of, .. } => match of {
                Scope::All => None,
                Scope::Target(place) => Some(*place),
            },
            Claim::ScheduleKept | Claim::AuditKept => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => Ok(()),
            Scope::Target(place) => write!(f, "target[{}].", place + 1),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = Comparison::Equal.name();
        match self {
            Claim::ScheduleKept => write!(f, "schedule {kept} kept"),
            Claim::AuditKept => write!(f, "audit {kept} kept"),
            Claim::Time {
                of,
                spans,
                at,
                test,
            } => write!(f, "{of}{}.{at} {test}", spans.name()),
            Claim::Count { of, what, test } => write!(f, "{of}{what}.count {test}"),
            Claim::PerSecond { of, what, test } => write!(f, "{of}{what}.per_second {test}"),
            Claim::Share {
                of,
                what,
                base,
                test,
            } => {
                write!(f, "{of}{what}.rate {test}")?;
                match what.bases().first() == Some(base) {
                    true => Ok(()),
                    false => write!(f, " of {base}"),
                }
            }
        }
    }
}
