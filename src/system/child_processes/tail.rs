/// The last bytes of an output, and the number of bytes before them.
#[derive(Debug)]
pub struct Tail {
    /// At most twice `most` bytes.
    kept: Vec<u8>,
    most: usize,
    total: u64,
}

impl Tail {
    /// Keeps at most this many bytes.
    pub fn new(most: usize) -> Tail {
        Tail {
            kept: Vec::new(),
            most,
            total: 0,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.kept.extend_from_slice(bytes);
        if self.kept.len() >= 2 * self.most {
            self.kept.drain(..self.kept.len() - self.most);
        }
    }

    /// The text of the last bytes, and the number of bytes before it. Bytes that are not UTF-8 are replaced, and a character
    /// that is not whole at the beginning is left out.
    pub fn text(&self) -> (String, u64) {
        let mut last = &self.kept[self.kept.len().saturating_sub(self.most)..];
        if last.len() as u64 != self.total {
            let is_continued = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
            let broken = last.iter().take(3).take_while(is_continued).count();
            last = &last[broken..];
        }
        let text = String::from_utf8_lossy(last).into_owned();
        (text, self.total - last.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_that_is_cut_is_left_out() {
        let mut tail = Tail::new(4);
        tail.push("xüy".as_bytes());
        assert_eq!(tail.text(), ("xüy".to_owned(), 0));
        tail.push(b"zw");
        assert_eq!(tail.text(), ("yzw".to_owned(), 3));
        tail.push(b"\xff");
        assert_eq!(tail.text(), ("yzw\u{fffd}".to_owned(), 3));
    }

    proptest! {
        #[test]
        fn the_last_bytes_are_kept_however_they_come(
            parts in prop::collection::vec("[a-z]{0,9}", 0..9), most in 1..12usize
        ) {
            let mut tail = Tail::new(most);
            parts.iter().for_each(|part| tail.push(part.as_bytes()));
            let whole = parts.concat();
            let cut = whole.len().saturating_sub(most);
            prop_assert_eq!(tail.text(), (whole[cut..].to_owned(), cut as u64));
        }
    }
}
