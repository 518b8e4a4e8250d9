/// A command that a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Quit,
    Freeze,
}

/// The commands among bytes that a terminal sent at once. An escape begins another key, such as an arrow, and ends the
/// search.
pub fn keys(bytes: &[u8]) -> impl Iterator<Item = Key> {
    const ESCAPE: u8 = 0x1b;
    let plain = bytes.iter().take_while(|byte| **byte != ESCAPE);
    plain.filter_map(|byte| match byte {
        b'q' | b'Q' => Some(Key::Quit),
        b'p' | b'P' => Some(Key::Freeze),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_not_taken_for_commands() {
        let all = |bytes: &[u8]| keys(bytes).collect::<Vec<_>>();
        assert_eq!(all(b"q"), [Key::Quit]);
        assert_eq!(all(b"xPp\n"), [Key::Freeze, Key::Freeze]);
        // F1, the 0 of the keypad, Greek letters and a paste.
        for other in [&b"\x1bOP"[..], b"\x1bOp", "ρπ".as_bytes(), b"\x1b[200~q"] {
            assert_eq!(all(other), []);
        }
    }
}
