//! Each request is counted twice. Only the probe can tell that from half of the limit: the reported number of remaining
//! requests falls by two at a time.

use super::{Case, Conclusion, Hypothesis};

#[derive(Debug, Clone)]
pub struct CountedTwice;

impl Hypothesis for CountedTwice {
    fn name(&self) -> &'static str {
        "requests are counted twice"
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let questions = case.probe.map(|probe| &probe.questions);
        let asked = questions.and_then(|questions| case.asked(&questions.counted_twice));
        match asked {
            Some(asked) if case.has_false_blocks => asked,
            _ => Conclusion::NotTested,
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
