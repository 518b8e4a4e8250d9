//! Recorded requests in files: what `--requests` wrote, or the logs of other programs as CSV or JSON lines.
//!
//! Each file is read twice. The first time learns the keys, the targets, and for each block of rows the earliest start
//! of all later ones. The second time feeds the audit, block by block, and so each request can be audited as soon as no
//! later row can have begun before it. No file is held in memory.
//!
//! The file of a replay is read once, into a [copy] that the run reads.

mod csv_rows;
mod file;
mod json_rows;
mod limited;
mod replay;
mod row;
mod rows;
mod survey;

pub use file::Unreadable;
pub use replay::{ReplayFile, ReplayFormat, copy};
pub use survey::{Columns, Recording, Reported};

#[cfg(test)]
mod tests;
