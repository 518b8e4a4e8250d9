//! Nothing is blocked, as if there were no limit. A much higher limit would look alike, so the cause claims no more.

use super::{Case, Conclusion, Hypothesis};

#[derive(Debug, Clone, Default)]
pub struct NothingBlocked;

impl Hypothesis for NothingBlocked {
    fn name(&self) -> &'static str {
        "nothing was blocked"
    }

    fn conclude(&self, case: &Case<'_>) -> Conclusion {
        let blocked: u64 = case.blocked.iter().sum();
        let most = case.most_admitted;
        // Nodes that each count alone, and two windows in a row, may admit so many before any block.
        let enough = case
            .terms
            .limit
            .saturating_mul(case.node_count().max(2) as u64);
        if !case.is_exceeded {
            Conclusion::NotTested
        } else if blocked > 0 {
            Conclusion::refuted(format!("{blocked} requests were blocked"))
        } else if most <= enough {
            Conclusion::NotTested
        } else {
            let statement = "nothing was blocked, as if there were no limit".to_owned();
            let window = case.terms.window;
            let evidence = format!("{most} requests of one key within {window} were admitted");
            Conclusion::named(statement, [evidence])
        }
    }

    fn boxed_clone(&self) -> Box<dyn Hypothesis> {
        Box::new(self.clone())
    }
}
