//! A bucket of B tokens that gets L of them back per W, by its theoretical arrival time (the generic cell rate algorithm,
//! [ITU-T I.371](https://www.itu.int/rec/T-REC-I.371), appendix I): the instant at which it would be full again.

use super::Model;
use crate::base::Nanos;
use crate::core::audit::Quota;
use crate::core::discovery::record::Seen;

/// An admission may take so much more than one token: nginx cuts off what is less than a thousandth of one
/// ([`limit_req`](https://nginx.org/en/docs/http/ngx_http_limit_req_module.html) counts in thousandths).
const CUT_OFF: f64 = 0.001;

/// All times in nanoseconds.
#[derive(Debug)]
pub(super) struct TokenBucket {
    /// The time in which one token comes back.
    interval: f64,
    /// The time in which all but one come back.
    tolerance: f64,
    grain: f64,
    /// The instant at which the bucket is full again: no earlier than its first value, no later than its second.
    full: (f64, f64),
}

impl TokenBucket {
    pub fn new(quota: Quota, grain: Nanos) -> TokenBucket {
        let interval = quota.window.0 as f64 / quota.limit as f64;
        TokenBucket {
            interval,
            tolerance: interval * (quota.burst - 1) as f64,
            grain: grain.0 as f64,
            full: (f64::MIN, f64::MIN),
        }
    }
}

impl Model for TokenBucket {
    fn may_admit(&self, request: &Seen) -> bool {
        self.full.0 - self.tolerance <= request.done.0 as f64 + self.grain
    }

    fn may_block(&self, request: &Seen) -> bool {
        self.full.1 - self.tolerance >= request.sent.0 as f64 - self.grain
    }

    fn count(&mut self, request: &Seen) {
        let (sent, done) = (request.sent.0 as f64, request.done.0 as f64);
        let (from, to) = self.full;
        let latest = to.min(done + self.grain + self.tolerance);
        self.full = (
            from.max(sent - self.grain) + self.interval,
            latest.max(done + self.grain) + self.interval * (1.0 + CUT_OFF),
        );
    }

    fn block(&mut self, request: &Seen) {
        let since = request.sent.0 as f64 - self.grain + self.tolerance;
        self.full.0 = self.full.0.max(since);
    }

    fn next_counter(&mut self) {
        self.full = (f64::MIN, f64::MIN);
    }
}
