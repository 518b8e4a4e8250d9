use crate::base::Nanos;
use crate::core::recorded::{NumberedBy, Recorded};

/// A file of recorded requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFile {
    pub name: String,
    pub numbered_by: NumberedBy,
    /// The time by which each of its requests may have begun earlier and ended later, because its machine's clock may be off.
    /// Zero if one clock gave all instants.
    pub clock_error: Nanos,
}

impl RequestFile {
    /// The name of a request: its number behind its file's name, `a.csv#12`, or its line, `a.csv:12`.
    pub(super) fn request(files: &[RequestFile], sequence: u64) -> String {
        let (file, number) = Recorded::split(sequence);
        match files.get(file) {
            None => sequence.to_string(),
            Some(file) => match file.numbered_by {
                NumberedBy::Sequence => format!("{}#{number}", file.name),
                NumberedBy::Line => format!("{}:{number}", file.name),
            },
        }
    }
}
