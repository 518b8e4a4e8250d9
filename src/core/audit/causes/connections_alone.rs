//! Each process or connection of a node counts alone. Only the probe can tell.

use super::{Case, Conclusion, Hypothesis};

pub const NAME: &str = "each process or connection counts alone";

#[derive(Debug, Clone)]
pub struct ConnectionsAlone;

impl Hypothesis for ConnectionsAlone {
    fn name(&self) -> &'static str {
        NAME
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let questions = case.probe.map(|probe| &probe.questions);
        let asked = questions.and_then(|questions| case.asked(&questions.connections));
        asked.unwrap_or(Conclusion::NotTested)
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
