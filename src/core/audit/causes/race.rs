//! Requests that overlap race each other past the limit.
//!
//! An admission beyond the limit that overlaps no other request of its key refutes this. At high rates all requests
//! overlap, so the probe has to have sent requests one at a time, and seen no more than the limit of them admitted.

use super::{Answered, Case, Conclusion, Hypothesis, list};

#[derive(Debug, Clone, Default)]
pub struct Race {
    overlapping: u64,
    alone: u64,
    sequences: Vec<u64>,
}

impl Hypothesis for Race {
    fn name(&self) -> &'static str {
        "overlapping requests race each other"
    }

    fn answered(&mut self, answered: &Answered<'_>) {
        if !answered.is_excess() {
            return;
        }
        let (request, quota) = (answered.request, answered.quota);
        let others = quota.log().count_reaching(request.sent).saturating_sub(1);
        if others + quota.proved.allowed_in_flight > 0 {
            self.overlapping += 1;
            list(&mut self.sequences, request);
        } else {
            self.alone += 1;
        }
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        if !case.is_exceeded || self.overlapping + self.alone == 0 {
            return Conclusion::NotTested;
        }
        if self.alone > 0 {
            return Conclusion::refuted(format!(
                "{} admissions beyond the limit overlapped no other admission of their key",
                self.alone
            ));
        }
        let Some(questions) = case.probe.map(|probe| &probe.questions) else {
            return Conclusion::NotTested;
        };
        let (nodes, connections) = (&questions.nodes, &questions.connections);
        let Some(sequential) = questions.one_at_a_time else {
            return Conclusion::NotTested;
        };
        if nodes.standing().is_some() || connections.standing().is_some() {
            return Conclusion::NotTested;
        }
        let limit = case.terms.limit;
        if questions.race.is_refuted() || sequential.admitted > limit {
            return Conclusion::refuted(format!(
                "of requests sent one at a time, {} were admitted",
                sequential.admitted
            ));
        }
        Conclusion::Named {
            statement: format!(
                "requests that overlap race each other: all {} admissions beyond the limit overlapped another admission \
                 of their key",
                self.overlapping
            ),
            evidence: vec![format!(
                "of the probe's requests sent one at a time, {} of {limit} were admitted",
                sequential.admitted
            )],
            sequences: self.sequences.clone(),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
