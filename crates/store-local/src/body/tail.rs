//! The end of a body that is not in its file yet, as the pieces in which it came.
//!
//! Large pieces are kept as they are. Small ones are gathered: each may pin a whole network buffer,
//! and a stream of ten-byte events would pin thousands.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces below this are gathered.
const SMALL: usize = 4 * 1024;

/// The pieces.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pieces: VecDeque<Bytes>,
    gathered: BytesMut,
    len: usize,
}

impl Tail {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() >= SMALL {
            self.close_gathered();
            self.pieces.push_back(bytes);
            return;
        }
        if self.gathered.len() + bytes.len() > SMALL {
            self.close_gathered();
        }
        self.gathered.extend_from_slice(&bytes);
    }

    fn close_gathered(&mut self) {
        if !self.gathered.is_empty() {
            self.pieces.push_back(self.gathered.split().freeze());
        }
    }

    /// Bytes from `offset` on, at most `limit`: a share of one piece where that is a good part of
    /// what was asked for, a copy where pieces are small.
    pub(super) fn read(&self, offset: usize, limit: usize) -> Bytes {
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.len();
            if offset < end {
                let at = offset - start;
                let wanted = limit.min(self.len - offset);
                if piece.len() - at >= wanted.min(SMALL) {
                    return piece.slice(at..piece.len().min(at + limit));
                }
                return self.copy(offset, wanted);
            }
            start = end;
        }
        self.copy(offset, limit.min(self.len.saturating_sub(offset)))
    }

    /// All bytes.
    pub(super) fn read_all(&self) -> Bytes {
        match self.pieces.front() {
            Some(only) if only.len() == self.len => only.clone(),
            _ => self.copy(0, self.len),
        }
    }

    fn copy(&self, mut skip: usize, count: usize) -> Bytes {
        let mut out = Vec::with_capacity(count);
        let gathered = std::iter::once(&self.gathered[..]);
        for piece in self.pieces.iter().map(|piece| &piece[..]).chain(gathered) {
            let from = skip.min(piece.len());
            skip -= from;
            let to = piece.len().min(from + count - out.len());
            out.extend_from_slice(&piece[from..to]);
        }
        out.into()
    }

    /// The first `count` bytes, after `skip`, as pieces.
    pub(super) fn pieces(&mut self, mut skip: usize, mut count: usize) -> Vec<Bytes> {
        self.close_gathered();
        let mut out = Vec::new();
        for piece in &self.pieces {
            let from = skip.min(piece.len());
            skip -= from;
            let to = piece.len().min(from + count);
            if to > from {
                out.push(piece.slice(from..to));
                count -= to - from;
            }
            if count == 0 {
                break;
            }
        }
        out
    }

    /// Lets go of the first `count` bytes.
    pub(super) fn advance(&mut self, mut count: usize) {
        self.close_gathered();
        self.len -= count.min(self.len);
        while let Some(piece) = self.pieces.front_mut() {
            if piece.len() > count {
                _ = piece.split_to(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_back_what_was_pushed(
            sizes in vec(0..9000_usize, 0..20),
            gone: proptest::sample::Index,
            offset: proptest::sample::Index,
            limit in 1..20_000_usize,
        ) {
            let all: Vec<u8> = (0..sizes.iter().sum()).map(|at: usize| at as u8).collect();
            let mut tail = Tail::default();
            let mut at = 0;
            for size in sizes {
                tail.push(Bytes::copy_from_slice(&all[at..at + size]));
                at += size;
            }
            let gone = gone.index(all.len() + 1);
            let pieces = tail.pieces(0, gone).concat();
            prop_assert_eq!(&pieces, &all[..gone]);
            tail.advance(gone);
            let rest = &all[gone..];
            prop_assert_eq!(tail.len(), rest.len());
            let offset = offset.index(rest.len() + 1);
            let read = tail.read(offset, limit);
            prop_assert_eq!(&read[..], &rest[offset..offset + read.len()]);
            let wanted = limit.min(rest.len() - offset);
            prop_assert!(read.len() <= wanted && read.len() >= wanted.min(SMALL));
        }
    }
}
