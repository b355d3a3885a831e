//! Lists of the pieces of large files.

use crate::digest::BlobId;
use crate::error::Malformed;
use crate::tree::node::Piece;
use crate::tree::page::{decode_piece, encode_piece};
use crate::tree::{LIST_END_BITS, PIECES_IN_LIST_MAX};
use crate::wire::{Reader, Write};

/// Splits pieces into lists. A list ends after a chunk whose id says so, so that a change inside a file of a
/// million chunks rewrites one list.
#[must_use]
pub fn encode_lists(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let mut lists = Vec::new();
    let mut start = 0;
    for (i, piece) in pieces.iter().enumerate() {
        let full = i + 1 - start == PIECES_IN_LIST_MAX;
        if full || ends_list(piece) || i + 1 == pieces.len() {
            lists.push(encode_list(&pieces[start..=i]));
            start = i + 1;
        }
    }
    lists
}

fn ends_list(piece: &Piece) -> bool {
    let Piece::Chunk { id, .. } = piece else { return false };
    u32::from_le_bytes([id.0[0], id.0[1], id.0[2], id.0[3]]).trailing_zeros() >= LIST_END_BITS
}

fn encode_list(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + pieces.len() * 20);
    out.varint(pieces.len() as u64);
    for piece in pieces {
        encode_piece(&mut out, piece);
    }
    for piece in pieces {
        if let Piece::Chunk { id, .. } = piece {
            out.bytes(&id.0);
        }
    }
    out
}

/// Reads one list.
///
/// # Errors
/// When a length is zero, a bound is passed, or bytes are left over.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<Piece>, Malformed> {
    let mut reader = Reader::new(bytes);
    let count = reader.count("list pieces", PIECES_IN_LIST_MAX, 1)?;
    let mut pieces = Vec::with_capacity(count);
    for _ in 0..count {
        pieces.push(decode_piece(&mut reader)?);
    }
    for piece in &mut pieces {
        if let Piece::Chunk { id, .. } = piece {
            *id = BlobId(reader.array("chunk id")?);
        }
    }
    reader.end("list")?;
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(i: u32) -> Piece {
        let id = blake3::hash(&i.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&id.as_bytes()[..16]);
        Piece::Chunk { id: BlobId(bytes), len: u64::from(i) + 1 }
    }

    #[test]
    fn lists_hold_all_pieces_in_order() {
        let mut pieces: Vec<_> = (0..40_000).map(chunk).collect();
        pieces.insert(7, Piece::Hole { len: 1 << 40 });
        let lists = encode_lists(&pieces);
        assert!(lists.len() > 3, "{} lists", lists.len());
        let read: Vec<_> = lists.iter().flat_map(|list| decode_list(list).unwrap()).collect();
        assert_eq!(read, pieces);
    }

    #[test]
    fn one_more_chunk_at_the_front_rewrites_one_list() {
        let pieces: Vec<_> = (0..40_000).map(chunk).collect();
        let before = encode_lists(&pieces);
        let mut more = vec![chunk(99_999)];
        more.extend_from_slice(&pieces);
        let after = encode_lists(&more);
        let new = after.iter().filter(|list| !before.contains(list)).count();
        assert_eq!(new, 1);
    }

    #[test]
    fn a_run_without_end_is_cut_by_number() {
        let hole = Piece::Hole { len: 1 };
        let lists = encode_lists(&vec![hole; PIECES_IN_LIST_MAX + 1]);
        assert_eq!(lists.len(), 2);
    }

    #[test]
    fn nothing_that_is_cut_or_longer_is_accepted() {
        let bytes = encode_lists(&[chunk(1), Piece::Hole { len: 5 }, chunk(2)]).remove(0);
        for cut in 0..bytes.len() {
            assert!(decode_list(&bytes[..cut]).is_err(), "{cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(decode_list(&longer).is_err());
    }
}
