//! Recorded requests, from the cells of their rows to the samples that the audit observes.
//!
//! A file of `--requests` has all that a run's own audit knows of a request, so both make the same
//! [`Observation`](super::audit::Observation)s. Logs of other programs are read by columns that the user names. Their
//! times are only as exact as they are written, so a request's interval is widened by that.

mod columns;
mod instant;
mod key_names;
mod number_set;
mod parts;
mod row;
mod target_names;

pub use columns::{ColumnNames, Layout};
pub use instant::{Unit, nanoseconds};
pub use key_names::KeyNames;
pub use parts::{Gap, Parts, StoppedStripe};
pub use row::{Identity, NumberedBy, Recorded, Resolution};
pub use target_names::{TargetNames, TargetPlaces};
