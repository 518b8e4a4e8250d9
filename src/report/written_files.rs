use super::result_file::WrittenFile;
use super::styled_text::{Line, StyledText};
use crate::base::text::{bytes, printable};
use std::path::Path;

/// The files that were written, with their sizes; `None` without any. Standard output is not one of them.
pub fn written_files(written: &[WrittenFile]) -> Option<StyledText> {
    let files = written.iter().filter(|file| file.path != Path::new("-"));
    let named = files.map(|file| {
        let path = printable(&file.path.to_string_lossy());
        format!("{path} ({})", bytes(file.size))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return None;
    }
    let mut text = StyledText::default();
    text.blank();
    let line = format!("Wrote {}", named.join(", "));
    text.push(Line::sentence(line, 6));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_their_sizes() {
        let file = |path: &str, size| WrittenFile {
            path: path.into(),
            size,
        };
        assert_eq!(written_files(&[]), None);
        assert_eq!(written_files(&[file("-", 5)]), None);
        let files = [
            file("a page.html", 422_000),
            file("-", 5),
            file("b\n.json", 12),
        ];
        assert_eq!(
            written_files(&files).unwrap().to_string(),
            "\nWrote a page.html (412 KiB), b\\n.json (12 B)"
        );
    }
}
