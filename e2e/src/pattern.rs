//! Bytes that know their own position: a lost, doubled, swapped or shifted piece of a body of any
//! size is found while it streams by, without keeping it.

/// Each block starts with its own number; the rest is fixed.
const BLOCK: usize = 4096;

/// The pattern's bytes from `offset` on, `len` of them.
#[must_use]
pub fn bytes(offset: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + BLOCK);
    let first = offset / BLOCK as u64;
    let skip = (offset % BLOCK as u64) as usize;
    let mut number = first;
    while out.len() < skip + len {
        let start = out.len();
        out.resize(start + BLOCK, 0x5a);
        out[start..start + 8].copy_from_slice(&number.to_le_bytes());
        out[start + BLOCK - 1] = b'\n';
        number += 1;
    }
    out.truncate(skip + len);
    out.drain(..skip);
    out
}

/// Follows a stream and remembers whether all of it was the pattern, in order, from the start.
#[derive(Clone, Debug)]
pub struct Check {
    offset: u64,
    intact: bool,
}

impl Check {
    /// A check that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            offset: 0,
            intact: true,
        }
    }

    /// Looks at the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.intact {
            self.intact = bytes(self.offset, piece.len()) == piece;
        }
        self.offset += piece.len() as u64;
    }

    /// Whether everything so far was the pattern.
    #[must_use]
    pub fn intact(&self) -> bool {
        self.intact
    }

    /// How many bytes went by.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.offset
    }

    /// Whether no byte went by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offset == 0
    }
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, bytes};

    #[test]
    fn any_cut_of_the_stream_passes_and_a_shifted_one_does_not() {
        let whole = bytes(0, 20_000);
        let mut check = Check::new();
        for piece in whole.chunks(777) {
            check.feed(piece);
        }
        assert!(check.intact());
        assert_eq!(check.len(), 20_000);

        let mut shifted = Check::new();
        shifted.feed(&whole[..4096]);
        shifted.feed(&whole[8192..]);
        assert!(!shifted.intact());
    }
}
