/// The name under which the stylesheet defines the look of a shape, for light and dark screens and for paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style(&'static str);

impl Style {
    pub const GRID: Style = Style("grid");
    pub const BURST: Style = Style("burst");
    pub const PAUSE: Style = Style("pause");
    pub const EVENT: Style = Style("event");
    pub const ASKED: Style = Style("asked");
    pub const SENT: Style = Style("sent");
    pub const ALLOWED: Style = Style("allowed");
    pub const BLOCKED: Style = Style("blocked");
    pub const FAILED: Style = Style("failed");
    pub const P50: Style = Style("p50");
    pub const P90: Style = Style("p90");
    pub const P99: Style = Style("p99");
    pub const P99_9: Style = Style("p999");
    pub const MAX: Style = Style("max");
    pub const LATENCY: Style = Style("latency");
    pub const SERVICE_TIME: Style = Style("service");
    pub const SEND_LAG: Style = Style("lag");
    pub const TOLERATED: Style = Style("tolerated");
    /// The colours of a heat map, from the fewest to the most.
    pub const HEAT: [Style; 6] = [
        Style("h0"),
        Style("h1"),
        Style("h2"),
        Style("h3"),
        Style("h4"),
        Style("h5"),
    ];
    /// The nodes of a stack, from the bottom to the top. Every other one has a pattern.
    pub const NODES: [Style; 8] = [
        Style("n0"),
        Style("n1"),
        Style("n2"),
        Style("n3"),
        Style("n4"),
        Style("n5"),
        Style("n6"),
        Style("n7"),
    ];
    pub const LIMIT: Style = Style("limit");
    /// The most that a promise admits in any window, if that is more than the limit.
    pub const CEILING: Style = Style("ceiling");
    /// Requests that can have counted.
    pub const COUNTED: Style = Style("counted");
    /// The runs that share one chart.
    pub const RUNS: [Style; 4] = [Style("r0"), Style("r1"), Style("r2"), Style("r3")];
    /// A run in a chart of its own.
    pub const OTHER: Style = Style("other");
    /// The first run, which that chart repeats to compare with.
    pub const FIRST: Style = Style("first");
}

/// A shape is drawn as a line or filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Line,
    Fill,
}

impl Paint {
    /// The class of a shape of this style.
    pub fn class(self, style: Style) -> String {
        let kind = match self {
            Paint::Line => 's',
            Paint::Fill => 'f',
        };
        format!("{kind}-{}", style.0)
    }
}
