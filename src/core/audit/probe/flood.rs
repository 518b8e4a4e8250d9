//! The key that gets more requests than any promise admits.

use super::records::Records;
use super::volleys::Volleys;
use super::{NotChecked, Reply, quarter};
use crate::base::Nanos;
use crate::core::audit::observation::Decision;
use crate::core::audit::terms::Terms;

#[derive(Debug)]
pub(super) struct Flood {
    fired: u64,
    /// When the next volley is due.
    pub at: Nanos,
    /// The first request's sent.
    since: Option<Nanos>,
}

impl Flood {
    pub fn at(at: Nanos) -> Flood {
        Flood {
            fired: 0,
            at,
            since: None,
        }
    }

    pub fn is_new(&self) -> bool {
        self.fired == 0
    }

    /// Takes the replies to one volley, the last of which was done at `ended`. Returns `None` after the last volley.
    pub fn answered(
        mut self,
        replies: &[Reply],
        ended: Nanos,
        volleys: Volleys,
        terms: &Terms,
        records: &mut Records,
    ) -> Option<Flood> {
        self.fired += 1;
        let sent = replies.iter().map(|reply| reply.request.sent).min();
        let since = *self.since.get_or_insert(sent.unwrap_or_default());
        let mut decisions = replies.iter().map(|reply| reply.request.decision);
        if decisions.all(|decision| decision == Decision::Failed) {
            records.flooded.why = NotChecked::AnsweredOtherwise(replies[0].status);
        } else if ended.saturating_sub(since) > quarter(terms) {
            records.flooded.why = NotChecked::TooSlow;
        } else if self.fired == volleys.count {
            records.flooded.times += 1;
        } else {
            self.at = ended.max(self.at + volleys.apart);
            return Some(self);
        }
        None
    }
}
