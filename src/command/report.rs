//! `loadgen report`: a page of saved summaries.

use super::print;
use crate::cli;
use crate::core::exit_code;
use crate::report::{PATIENCE, ResultFile, html, write_whole};
use std::time::Instant;

/// Writes the report of one summary, or the comparison of several.
pub fn report(options: &cli::Report) -> anyhow::Result<u8> {
    let summaries = options.summaries()?;
    let page = match &summaries[..] {
        [(_, only)] => html::page(only),
        several => html::comparison(several),
    };
    let Some(path) = options.output() else {
        return print(&page);
    };
    let file = ResultFile::open(path).map_err(|error| options.refuse_output(&error))?;
    write_whole(file, page.into_bytes(), Instant::now() + PATIENCE)?;
    Ok(exit_code::FINE)
}
