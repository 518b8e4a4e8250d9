//! The audit's pictures as numbers: admissions per window, and requests that were blocked too early, over time.

use super::audited_run::AuditedRun;
use crate::core::audit;
use serde::{Deserialize, Serialize};

/// How many requests of the busiest keys were admitted in the window before each moment. A request counts if that is
/// proved: it was sent and answered in that window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowCounts {
    /// The length of a slot of time.
    pub slot_ns: u64,
    /// The busiest keys; five at most. Keys over their limits come first.
    pub keys: Vec<KeyCounts>,
}

/// How many requests of one key were admitted in the window before each moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeyCounts {
    /// The key, as the audit names it.
    pub key: String,
    /// How many requests of the key are promised per window.
    pub limit: u64,
    /// The window in which that many may pass, in nanoseconds.
    pub window_ns: u64,
    /// The most that a limiter which keeps one of the promises admits in any interval of the window's length. It is more than
    /// the limit if a promise is a fixed window, a sliding counter or a token bucket.
    pub most_in_any_window: u64,
    /// Why it is more than the limit, in words: `a fixed window may admit its limit at the end of one window and again at the
    /// start of the next`. Empty if it is the limit, and in summaries of earlier versions.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub more_because: String,
    /// The most requests that were admitted in any interval of the window's length.
    pub most: u64,
    /// The slots before this one are not known, because the key was not among the busiest then.
    pub first_slot: u64,
    /// The nodes that admitted requests of the key, in order. Of each slot, the counts of all nodes at the moment with the
    /// most admissions are listed.
    pub nodes: Vec<NodeCounts>,
}

/// One node's numbers over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeCounts {
    /// The node's name; `other nodes` stands for all from the eighth on, if there are more than eight.
    pub node: String,
    /// One number for each slot from the run's start.
    pub counts: Vec<u64>,
}

/// The requests that were blocked although every promise lets them pass, over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EarlyBlocks {
    /// The number of requests that were blocked although they had to be let pass.
    pub total: u64,
    /// How many requests per window are promised of their keys; absent if the keys have several limits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u64>,
    /// The length of a slot of time.
    pub slot_ns: u64,
    /// The nodes that blocked them, with their numbers of such requests in each slot from the run's start.
    pub nodes: Vec<NodeCounts>,
    /// For each slot, the most other requests that can have counted against one of its requests; 0 in slots without any.
    pub counted_at_most: Vec<u64>,
}

impl AuditedRun<'_> {
    pub fn window_counts(&self) -> Option<WindowCounts> {
        let found = &self.report.window_counts;
        let keys = found.keys.iter().map(|of| KeyCounts {
            key: (self.name)(of.key),
            limit: of.limit,
            window_ns: of.window.0,
            most_in_any_window: of.most_admitted.requests,
            more_because: if of.most_admitted.requests > of.limit {
                let about = of.most_admitted.algorithm.about();
                about.more_in_any_window.to_owned()
            } else {
                String::new()
            },
            most: of.most,
            first_slot: of.first_slot as u64,
            nodes: self.by_node_over_time(of.slots.iter().map(Vec::as_slice)),
        });
        (!found.keys.is_empty()).then(|| WindowCounts {
            slot_ns: found.slot.0,
            keys: keys.collect(),
        })
    }

    pub fn early_blocks(&self) -> Option<EarlyBlocks> {
        let found: &audit::EarlyBlocks = &self.report.early_blocks;
        let slots = found.slots.iter();
        let most = |slot: &audit::EarlyBlocksSlot| slot.counted.map_or(0, |(_, most)| most);
        (found.total > 0).then(|| EarlyBlocks {
            total: found.total,
            limit: found.limit,
            slot_ns: found.slot.0,
            counted_at_most: slots.clone().map(most).collect(),
            nodes: self.by_node_over_time(slots.map(|slot| slot.blocked.as_slice())),
        })
    }

    /// The numbers of each node that has any. The last number of a slot is that of all further nodes.
    fn by_node_over_time<'a>(
        &self,
        slots: impl Iterator<Item = &'a [u64]> + Clone,
    ) -> Vec<NodeCounts> {
        let columns = slots.clone().next().map_or(0, <[u64]>::len);
        let of_column = |column: usize| {
            let counts: Vec<_> = slots.clone().map(|slot| slot[column]).collect();
            let is_shared = column + 1 == columns && self.nodes.len() > columns;
            let node = match is_shared {
                true => "other nodes".to_owned(),
                false => self.node(column).to_owned(),
            };
            let has_any = counts.iter().any(|count| *count > 0);
            has_any.then_some(NodeCounts { node, counts })
        };
        (0..columns).filter_map(of_column).collect()
    }
}
