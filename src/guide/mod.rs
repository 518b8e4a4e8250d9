//! The guide. The same pages can be read where the repository is browsed, in `src/guide/`.
//!
//! | page | explains |
//! | --- | --- |
//! | [`traffic`] | rates, bursts, profiles, arrivals, and why latency starts at the due time |
//! | [`replay`] | recorded requests and access logs, sent again at their instants |
//! | [`targets`] | names, addresses, connections, TLS, and targets that do not answer |
//! | [`requests`] | presets, requests, the rules for answers, and keys |
//! | [`audit`] | whether the limit held: promises, verdicts, causes, the probe, and recorded requests |
//! | [`discover`] | what a limiter enforces, found out from the outside |
//! | [`results`] | the live view, files, measures, failures, and exit codes |
//! | [`thresholds`] | conditions that make a run a test |
//! | [`events`] | what happens to the cluster in the course of a run, and what undoes it |
//! | [`capacity`] | the highest rate at which the limiter still meets every threshold |
//! | [`compare`] | whether two runs differ by more than noise, and a gate for CI |
//! | [`metrics`] | metrics for Prometheus while a run goes on |
//! | [`machines`] | one schedule sent by several machines, with one result |
//! | [`kubernetes`] | one load from many pods, with one result |
//! | [`stack`] | three limiter nodes, Redis and Prometheus in containers |
//! | [`limiter`] | the reference limiter |
//! | [`options`] | all options, variables and defaults |
//! | [`performance`] | measured beside other load generators |
//! | [`design`] | how it is built and tested |

/// A module for each page. The first definition of a link counts, so in this documentation links lead to the modules, and
/// elsewhere to the files that the pages themselves name.
macro_rules! pages {
    ($($page:ident),+ $(,)?) => {
        $(
            #[doc = "[answers]: crate::guide::requests#answers"]
            #[doc = "[audited]: crate::guide::audit"]
            #[doc = "[compare]: crate::guide::compare"]
            #[doc = "[effects]: crate::guide::events#what-an-event-did"]
            #[doc = "[events]: crate::guide::events"]
            #[doc = "[exit-codes]: crate::guide::results#exit-codes"]
            #[doc = "[failures]: crate::guide::results#failures"]
            #[doc = "[frozen]: crate::guide::targets#a-target-that-does-not-answer"]
            #[doc = "[instants]: crate::guide::traffic#open-loop"]
            #[doc = "[json]: crate::guide::results#json"]
            #[doc = "[keys]: crate::guide::requests#keys"]
            #[doc = "[kubernetes]: crate::guide::kubernetes"]
            #[doc = "[limiter]: crate::guide::limiter"]
            #[doc = "[open]: crate::guide::requests#answers-of-a-limiter-that-fails-open"]
            #[doc = "[machines]: crate::guide::machines"]
            #[doc = "[metrics]: crate::guide::metrics"]
            #[doc = "[marks]: crate::guide::events#marks-from-outside"]
            #[doc = "[measures]: crate::guide::results#measures"]
            #[doc = "[page]: crate::guide::results#the-page"]
            #[doc = "[paths]: crate::guide::targets#paths"]
            #[doc = "[placeholders]: crate::guide::requests#requests"]
            #[doc = "[probe]: crate::guide::audit#the-probe"]
            #[doc = "[replay]: crate::guide::replay"]
            #[doc = "[secrets]: crate::guide::requests#secrets"]
            #[doc = "[stack]: crate::guide::stack"]
            #[doc = "[stripes]: crate::guide::options#several-machines"]
            #[doc = "[thresholds]: crate::guide::thresholds"]
            #[doc = "[urls]: crate::guide::targets#urls-as-arguments"]
            #[doc = ""]
            #[doc = include_str!(concat!(stringify!($page), ".md"))]
            pub mod $page {}
        )+

        #[cfg(test)]
        const PAGES: &[(&str, &str)] = &[
            $((stringify!($page), include_str!(concat!(stringify!($page), ".md")))),+
        ];
    };
}

pages! {
    traffic,
    replay,
    targets,
    requests,
    audit,
    discover,
    results,
    thresholds,
    events,
    capacity,
    compare,
    metrics,
    machines,
    kubernetes,
    stack,
    limiter,
    options,
    performance,
    design,
}

#[cfg(test)]
mod tests;
