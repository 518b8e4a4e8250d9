/// The longest body that is read, in bytes.
pub(super) const MOST: usize = 64 * 1024;

/// An answer's body, if it is short enough to be read.
#[derive(Debug, Default)]
pub struct KeptBody {
    bytes: Vec<u8>,
    too_long: bool,
}

impl KeptBody {
    /// Forgets the body, for the next answer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }

    pub fn push(&mut self, part: &[u8]) {
        self.too_long |= self.bytes.len() + part.len() > MOST;
        if !self.too_long {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Keeps no more than `most` bytes of the body, whatever its length.
    pub fn push_up_to(&mut self, most: usize, part: &[u8]) {
        let room = most.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// The bytes of the body that were kept before it turned out to be too long.
    pub fn beginning(&self) -> &[u8] {
        &self.bytes
    }

    /// `None` if the body was too long to be read.
    pub fn bytes(&self) -> Option<&[u8]> {
        (!self.too_long).then_some(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_more_than_64_kib_is_not_kept_at_all() {
        let mut kept = KeptBody::default();
        for part in [MOST / 2, MOST - MOST / 2] {
            kept.push("x".repeat(part).as_bytes());
        }
        assert_eq!(kept.bytes().map(<[u8]>::len), Some(65_536));
        kept.push(b"");
        assert!(kept.bytes().is_some());
        kept.push(b"x");
        kept.push(b"");
        assert_eq!(kept.bytes(), None);
        kept.clear();
        kept.push(b"{}");
        assert_eq!(kept.bytes(), Some(&b"{}"[..]));
    }

    #[test]
    fn the_beginning_of_a_body_is_kept_up_to_a_length() {
        let mut kept = KeptBody::default();
        for part in [&b"ab"[..], b"cd", b"ef"] {
            kept.push_up_to(3, part);
        }
        assert_eq!(kept.beginning(), b"abc");
    }
}
