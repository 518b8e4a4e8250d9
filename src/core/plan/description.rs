//! A plan in words, as headings and reports show it.

use super::Plan;
use crate::base::Nanos;
use crate::core::keys::Distribution;
use crate::core::request::Placeholder;
use crate::core::schedule::Arrivals;

impl Plan {
    /// The rate over time, the arrivals, and how long the run takes.
    pub fn describe_traffic(&self) -> String {
        let profile = self.schedule.profile();
        let arrivals = match self.schedule.arrivals() {
            Arrivals::Uniform => "",
            Arrivals::Poisson(_) => ", poisson arrivals",
        };
        let length = match (self.schedule.end(), self.schedule.total()) {
            (Some(end), Some(total)) => format!("for {end}: {total} requests"),
            _ => "until stopped".to_owned(),
        };
        format!("{profile}{arrivals}, {length}")
    }

    /// The method and path of the requests, with the limit, the window and the cost if the requests carry them.
    pub fn describe_requests(&self) -> String {
        let request = &self.request;
        let mut text = format!("{} {}", request.method, request.path.typed());
        if request.has(Placeholder::Limit) {
            text += &format!(", limit {} in {}", self.limit, self.window);
        }
        if request.has(Placeholder::Cost) || self.cost > 1 {
            text += &format!(", cost {}", self.cost);
        }
        text
    }

    /// The workers, and what becomes of requests to a target that does not answer. `None` if the workers are enough for a
    /// run against this many targets even if one of them does not answer.
    pub fn describe_workers(&self, targets: usize) -> Option<String> {
        let most = self.worker_shares(targets).most();
        let due = self.schedule.most_within(self.timeout.into()) / targets as f64;
        if due <= most as f64 {
            return None;
        }
        let (workers, due) = (self.workers, due.ceil());
        let timeout = Nanos::from(self.timeout);
        let (share, which) = match targets {
            1 => (String::new(), "the"),
            _ => (format!(", at most {most} for one target"), "a"),
        };
        Some(format!(
            "{workers}{share}: if {which} target does not answer, up to {due} of its requests come due within the timeout of \
             {timeout}, and those beyond {most} wait or are dropped"
        ))
    }

    /// Whether the digits of the keys differ from those of every other run with the same seed.
    pub fn has_own_keys(&self) -> bool {
        let has_keys = self.request.has(Placeholder::Key);
        has_keys && self.keys.are_random() && self.key_seed != self.seed
    }

    /// How many keys the requests carry, and how the traffic is spread over them.
    pub fn describe_keys(&self) -> String {
        if !self.request.has(Placeholder::Key) {
            return "none in the requests".to_owned();
        }
        match (self.keys.count(), self.key_distribution) {
            (None, _) => "a fresh one for every request".to_owned(),
            (Some(count), Distribution::Uniform) => format!("{count}{}", self.describe_tiers()),
            (Some(count), other) => format!("{count}{}, {other}", self.describe_tiers()),
        }
    }

    fn describe_tiers(&self) -> &'static str {
        if self.keys.have_tiers() {
            ", some with a limit or a cost of their own"
        } else {
            ""
        }
    }
}
