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
}
