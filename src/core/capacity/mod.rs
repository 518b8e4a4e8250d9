//! How much does a limiter take? The search finds the highest rate that holds.
//!
//! A *step* is a run at one steady rate. It *holds* if the run meets every threshold. The *capacity* is the highest rate that
//! holds.
//!
//! A [`Search`] has neither clock nor sockets. It proposes the rate of the next step from the outcomes so far:
//!
//! 1. It doubles the rate until a step does not hold. That step is repeated, since it may have failed by chance.
//! 2. It tries the geometric mean of the highest rate that held and the lowest one that did not, until they are as close as
//!    the precision requires.
//! 3. It repeats the step at each of these two rates, so that at least two steps of at most three agree on each. If a
//!    repetition disagrees, the search goes on from there.
//!
//! A threshold that few requests decide is easily missed by chance: of 1,000 requests, one failure misses `failed.rate < 0.1%`.
//! A miss that is within chance does not end the doubling, nor does an audit without a verdict. The search comes back to it if a
//! higher rate does not hold either.
//!
//! Steps that other processes on this machine disturbed are repeated, too, up to twice at each rate.
//!
//! If a rate does not hold, no higher rate counts, even if it would hold again.
//!
//! [`outcome`] tells whether the limiter is why a step does not hold. It may also be this machine, or the connections that it
//! has to the limiter ([`Cause`]).

mod bounds;
mod finding;
mod forecast;
mod outcome;
mod processors;
mod search;
mod trials;

#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use finding::{Finding, Limit};
pub use forecast::Forecast;
pub use outcome::{Cause, Judged, NotOnTime, Outcome, outcome};
pub use processors::Processors;
pub use search::{Purpose, Search, Step};
