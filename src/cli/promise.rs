//! The promise that the limiter is held to, and the limit that requests carry.

use super::{Arguments, Refusal, requests};
use crate::base::Nanos;
use crate::core::audit::{Promise, Quota};

/// The promises that are audited, and the limit that requests carry.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    /// The limiter has to keep one of them. `None` if it is not audited.
    pub promises: Option<Vec<Promise>>,
    /// The limit and the window of each request whose key has none of its own.
    pub quota: Quota,
}

impl Promised {
    /// `--limit` and `--window` complete a promise without numbers. One with numbers of its own sets the limit of the
    /// requests, unless these flags choose another limit of it.
    ///
    /// # Errors
    /// A flag contradicts every limit of the promise.
    pub fn new<O>(
        arguments: &Arguments<O>,
        promise: Option<&str>,
        given: &requests::Quota,
    ) -> Result<Promised, Refusal> {
        let default = given.promised();
        let Some(text) = promise else {
            return Ok(Promised {
                promises: None,
                quota: default,
            });
        };
        let promises = Promise::alternatives(text, default);
        let promises =
            promises.map_err(|error| Refusal::wrong("--audit", text, &error.to_string()))?;
        Ok(Promised {
            quota: carried(arguments, given, &promises)?,
            promises: Some(promises),
        })
    }

    /// The shortest window of any limit.
    pub fn shortest_window(&self) -> Nanos {
        let limits = self
            .promises
            .iter()
            .flatten()
            .flat_map(|promise| &promise.limits);
        let windows = limits.map(|limit| limit.quota.window);
        windows.min().unwrap_or(self.quota.window)
    }
}

/// The first limit of the promises that the flags allow.
fn carried<O>(
    arguments: &Arguments<O>,
    given: &requests::Quota,
    promises: &[Promise],
) -> Result<Quota, Refusal> {
    let (limit, window) = (&given.limit, &given.window);
    let fits_limit = |quota: &Quota| !arguments.is_flag(limit) || quota.limit == **limit;
    let fits_window = |quota: &Quota| !arguments.is_flag(window) || quota.window == given.window();
    let limits = promises.iter().flat_map(|promise| &promise.limits);
    let mut quotas = limits.map(|limit| limit.quota);
    if let Some(quota) = quotas
        .clone()
        .find(|quota| fits_limit(quota) && fits_window(quota))
    {
        return Ok(quota);
    }
    let promised: Vec<_> = quotas.clone().map(|quota| quota.to_string()).collect();
    let allowed = format!("the promise says {}", promised.join(" and "));
    Err(if quotas.any(|quota| fits_limit(&quota)) {
        arguments.refuse(window, allowed)
    } else {
        arguments.refuse(limit, allowed)
    })
}
