use super::csv_rows::CsvRows;
use super::json_rows::JsonRows;
use super::row::{Cells, Wrong};

/// The rows of an open file.
#[derive(Debug)]
pub(super) enum Rows {
    Csv(CsvRows),
    Json(JsonRows),
}

impl Rows {
    /// The names of the columns. JSON lines have those of the first row.
    pub fn names(&self) -> Vec<String> {
        match self {
            Rows::Csv(rows) => rows.names(),
            Rows::Json(rows) => rows.names(),
        }
    }

    /// Whether a row may lack columns that others have.
    pub fn are_ragged(&self) -> bool {
        matches!(self, Rows::Json(_))
    }

    /// Sets the columns that are read. All of them must be there, unless rows are ragged.
    pub fn select(&mut self, columns: &[String]) {
        match self {
            Rows::Csv(rows) => rows.select(columns),
            Rows::Json(rows) => rows.select(columns),
        }
    }

    /// The next row and its first line; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u64, Cells<'_>)>, Wrong> {
        match self {
            Rows::Csv(rows) => rows.next(),
            Rows::Json(rows) => rows.next(),
        }
    }
}
