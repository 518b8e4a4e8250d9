/// What a key press asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Quit,
    Freeze,
}

/// Those among the bytes that a terminal sent at once. What an escape begins is another key's, such as an arrow's, up to
/// the end.
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
    fn only_the_keys_themselves_count() {
        let all = |bytes: &[u8]| keys(bytes).collect::<Vec<_>>();
        assert_eq!(all(b"q"), [Key::Quit]);
        assert_eq!(all(b"xPp\n"), [Key::Freeze, Key::Freeze]);
        // F1, the keypad's 0, and what is no key of an ASCII keyboard.
        for other in [&b"\x1bOP"[..], b"\x1bOp", "ρπ".as_bytes(), b"\x1b[200~q"] {
            assert_eq!(all(other), []);
        }
    }
}
