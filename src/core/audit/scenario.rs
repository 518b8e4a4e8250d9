use super::admission_log::AdmissionLog;
use super::groups::Group;
use super::observation::Observation;
use super::promise::{KeyEvidence, Latest};

/// One reading of which requests of a key were admitted, held to each limit of a group.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub log: AdmissionLog,
    /// In the order of the group's limits.
    pub evidence: Box<[KeyEvidence]>,
}

impl Scenario {
    pub fn new(group: &Group) -> Scenario {
        let limits = group.limits.iter();
        Scenario {
            log: AdmissionLog::default(),
            evidence: limits
                .map(|(_, limit)| KeyEvidence::new(limit, &group.bounds))
                .collect(),
        }
    }

    /// Takes in one more admission, done after all others. Returns `None` if it comes too late to be of use.
    pub fn admit(&mut self, request: &Observation, group: &Group) -> Option<Latest> {
        let bounds = &group.bounds;
        for evidence in &mut self.evidence {
            evidence.of_mut().count(request.done, bounds);
        }
        let place = self.log.insert(request, bounds)?;
        let latest = Latest {
            sent: request.sent,
            done: request.done,
            place,
            within: self.log.count_within(bounds.shortest_window, request.done),
        };
        for evidence in &mut self.evidence {
            evidence.of_mut().admit(&latest, &self.log, bounds);
        }
        Some(latest)
    }

    /// A request of the key may have changed the limiter's state unseen.
    pub fn lose_sight(&mut self) {
        for evidence in &mut self.evidence {
            evidence.of_mut().lose_sight();
        }
    }

    /// The memory used beside `self`, in bytes.
    pub fn memory(&self) -> usize {
        let evidence = self.evidence.iter();
        let evidence = evidence.map(|one| size_of::<KeyEvidence>() + one.of().memory());
        self.log.memory() + evidence.sum::<usize>()
    }
}
