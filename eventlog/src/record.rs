//! A record: one event with a header that can be read without knowing the payload.

use holdfast_engine::{CommandId, StreamId, Timestamp, Uid};

use crate::bytes::{Take, len_u32, to_usize};
use crate::shapes;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 72;

/// bincode 2, standard configuration. A number of its own lets a later release leave bincode.
const CODEC_BINCODE: u8 = 1;

/// What stands before every payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Place in the log, from 1.
    pub seq: u64,
    /// Term of leadership.
    pub epoch: u64,
    /// Time of the decision.
    pub at: Timestamp,
    /// Command that caused it.
    pub cause: CommandId,
    /// Stream it belongs to.
    pub stream: StreamKey,
    /// Place in its stream, from 1.
    pub version: u32,
    /// Event type (docs/events.md, section 4).
    pub event_type: u16,
    /// Schema of the payload.
    pub schema: u16,
    /// Codec of the payload.
    pub codec: u8,
    /// Bytes of the payload.
    pub length: u32,
}

/// A stream by its number on disk, so that streams of a later release can be named too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// Kind of stream; the numbers of `StreamKind`, or one that this release does not know.
    pub kind: u8,
    /// Which object.
    pub uid: Uid,
}

/// Whether this release can read payloads of a codec, event type and schema.
pub(crate) fn readable(codec: u8, event_type: u16, schema: u16) -> bool {
    codec == CODEC_BINCODE && shapes::known(event_type, schema)
}

impl From<StreamId> for StreamKey {
    fn from(id: StreamId) -> Self {
        Self { kind: id.kind as u8, uid: id.uid }
    }
}

impl Header {
    /// Whether this release can read the payload.
    #[must_use]
    pub fn known(&self) -> bool {
        readable(self.codec, self.event_type, self.schema)
    }

    /// A header for a payload of this release.
    pub(crate) fn new(place: Place, payload: &shapes::Payload) -> Self {
        Self {
            seq: place.seq,
            epoch: place.epoch,
            at: place.at,
            cause: place.cause,
            stream: place.stream,
            version: place.version,
            event_type: payload.event_type,
            schema: payload.schema,
            codec: CODEC_BINCODE,
            length: len_u32(payload.bytes.len()),
        }
    }

    /// Appends the header's bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.extend_from_slice(&self.cause.0);
        out.push(self.stream.kind);
        out.push(self.codec);
        out.extend_from_slice(&self.event_type.to_le_bytes());
        out.extend_from_slice(&self.schema.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.stream.uid.0);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
    }

    /// Reads a header and the payload behind it; `None` if the bytes are no record.
    pub(crate) fn decode<'a>(take: &mut Take<'a>) -> Option<(Self, &'a [u8])> {
        let seq = take.u64()?;
        let epoch = take.u64()?;
        let at = Timestamp(take.i64()?);
        let cause = CommandId(take.array()?);
        let kind = take.u8()?;
        let codec = take.u8()?;
        let event_type = take.u16()?;
        let schema = take.u16()?;
        take.zeros(2)?;
        let uid = Uid(take.array()?);
        let version = take.u32()?;
        let length = take.u32()?;
        let payload = take.bytes(to_usize(u64::from(length)))?;
        let stream = StreamKey { kind, uid };
        let header =
            Self { seq, epoch, at, cause, stream, version, event_type, schema, codec, length };
        Some((header, payload))
    }
}

/// Where a new record stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) epoch: u64,
    pub(crate) at: Timestamp,
    pub(crate) cause: CommandId,
    pub(crate) stream: StreamKey,
    pub(crate) version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            seq: 1,
            epoch: 2,
            at: Timestamp(-3),
            cause: CommandId([4; 16]),
            stream: StreamKey { kind: 200, uid: Uid([5; 16]) },
            version: 6,
            event_type: 0xC801,
            schema: 7,
            codec: 8,
            length: 3,
        }
    }

    #[test]
    fn a_header_of_an_unknown_payload_is_read_back() {
        let mut bytes = Vec::new();
        header().encode(&mut bytes);
        assert_eq!(bytes.len(), HEADER_BYTES);
        bytes.extend_from_slice(b"xyz...");
        let mut take = Take(&bytes);
        assert_eq!(Header::decode(&mut take), Some((header(), &b"xyz"[..])));
        assert_eq!(take.0, b"...");
        assert!(!header().known());
    }

    #[test]
    fn a_payload_that_is_cut_is_no_record() {
        let mut bytes = Vec::new();
        header().encode(&mut bytes);
        bytes.extend_from_slice(b"xy");
        assert_eq!(Header::decode(&mut Take(&bytes)), None);
    }
}
