//! What people look at: the pages of a report and the live view.

#[path = "../support/summaries.rs"]
mod summaries;
#[path = "../support/mod.rs"]
mod support;

mod comparison;
#[cfg(unix)]
mod live;
mod report;
