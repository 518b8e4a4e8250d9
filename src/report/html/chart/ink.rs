use plotters::style::{RGBColor, ShapeStyle};

/// What a shape stands for. The stylesheet says how that looks, in each scheme and in print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink(u8);

/// What the stylesheet calls them.
const NAMES: [&str; 30] = [
    "grid",
    "burst",
    "pause",
    "asked",
    "sent",
    "allowed",
    "blocked",
    "failed",
    "p50",
    "p90",
    "p99",
    "p999",
    "max",
    "latency",
    "service",
    "lag",
    "tolerated",
    "h0",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "r0",
    "r1",
    "r2",
    "r3",
    "other",
    "first",
    "edge",
];

impl Ink {
    pub const GRID: Ink = Ink(0);
    pub const BURST: Ink = Ink(1);
    pub const PAUSE: Ink = Ink(2);
    pub const ASKED: Ink = Ink(3);
    pub const SENT: Ink = Ink(4);
    pub const ALLOWED: Ink = Ink(5);
    pub const BLOCKED: Ink = Ink(6);
    pub const FAILED: Ink = Ink(7);
    pub const P50: Ink = Ink(8);
    pub const P90: Ink = Ink(9);
    pub const P99: Ink = Ink(10);
    pub const P99_9: Ink = Ink(11);
    pub const MAX: Ink = Ink(12);
    pub const LATENCY: Ink = Ink(13);
    pub const SERVICE_TIME: Ink = Ink(14);
    pub const SEND_LAG: Ink = Ink(15);
    pub const TOLERATED: Ink = Ink(16);
    /// From the fewest to the most.
    pub const HEAT: [Ink; 6] = [Ink(17), Ink(18), Ink(19), Ink(20), Ink(21), Ink(22)];
    /// As many runs as are told apart in one chart.
    pub const RUNS: [Ink; 4] = [Ink(23), Ink(24), Ink(25), Ink(26)];
    /// A run in a chart of its own, and the run that it is held against there.
    pub const OTHER: Ink = Ink(27);
    pub const FIRST: Ink = Ink(28);

    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// The library knows colours only: this one stands for the ink until it is written.
    pub(super) fn style(self, filled: bool) -> ShapeStyle {
        ShapeStyle {
            color: RGBColor(self.0, 0, 0).into(),
            filled,
            stroke_width: 1,
        }
    }

    pub(super) fn of(colour: (u8, u8, u8)) -> Ink {
        Ink(colour.0)
    }
}
