//! What the limiter is held to.

use super::Cluster;
use crate::cli::{self, Arguments, Audited, Options, Refusal};
use crate::core::audit::{PriorUse, Promise};
use crate::core::request::{Placeholder, RequestTemplate};
use clap::parser::ValueSource;

/// An audit of the limit.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The limiter has to keep one of them.
    pub promises: Vec<Promise>,
    /// Whether a verdict was asked for, not only offered.
    pub asked: bool,
    /// Whether keys of its own are asked for too.
    pub probe: bool,
    pub prior_use: PriorUse,
    /// How many bytes it may use.
    pub memory: usize,
}

/// Off unless asked for, but for a demo. What a flag asks of an audit that is off is refused.
pub(super) fn audit(
    arguments: &Arguments<Options>,
    cluster: &Cluster,
    form: &RequestTemplate,
) -> Result<Option<Audit>, Refusal> {
    let cli::Audit {
        audit,
        probe,
        audit_memory,
    } = arguments.options.audit;
    let is_demo = matches!(cluster, Cluster::Demo { .. });
    let audited = audit.unwrap_or(match is_demo {
        true => Audited::Auto,
        false => Audited::Off,
    });
    let promises = match audited {
        Audited::Auto => Promise::ALL.to_vec(),
        Audited::One(promise) => vec![promise],
        Audited::Off => {
            let flag = |option| arguments.source(option) == Some(ValueSource::CommandLine);
            let needless = [("probe", probe), ("audit_memory", true)];
            let needless = needless
                .into_iter()
                .find(|(option, on)| *on && flag(option));
            return match needless {
                Some((option, _)) => Err(arguments.refuse(option, "needs --audit")),
                None => Ok(None),
            };
        }
    };
    let has_keys = form.has(Placeholder::Key);
    Ok(Some(Audit {
        promises,
        asked: audit.is_some(),
        probe: probe && has_keys,
        prior_use: match cluster {
            // Its nodes have just been started.
            Cluster::Demo { .. } => PriorUse::None,
            _ if !has_keys || arguments.options.keys.keys_file.is_some() => PriorUse::Anyone,
            _ if arguments.is_given("seed") => PriorUse::EarlierRun,
            _ => PriorUse::None,
        },
        memory: audit_memory,
    }))
}
