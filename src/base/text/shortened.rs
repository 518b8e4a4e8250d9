use std::borrow::Cow;

/// At most `most` characters of a text. The middle of a longer one is left out, since messages often end with a place.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return text.into();
    }
    let tail = most / 3;
    let head = most.saturating_sub(tail + 1);
    let start = text.char_indices().nth(head);
    let end = text.char_indices().rev().take(tail).last();
    let [start, end] = [start, end].map(|place| place.map_or(text.len(), |(place, _)| place));
    format!("{}…{}", &text[..start], &text[end..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_loses_its_middle() {
        for (text, most, shown) in [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcdefghij", 6, "abc…ij"),
            ("éééééééééé", 6, "ééé…éé"),
            ("abcd", 3, "a…d"),
            ("ab", 1, "…"),
        ] {
            assert_eq!(shortened(text, most), shown);
            assert!(shown.chars().count() <= most);
        }
    }
}
