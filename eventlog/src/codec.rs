//! bincode, and nothing else names it: standard configuration with a limit, trailing bytes refused.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{RECORD_BYTES, STATE_BYTES};

const EVENT: Configuration<LittleEndian, Varint, Limit<RECORD_BYTES>> =
    bincode::config::standard().with_limit::<RECORD_BYTES>();
const STATE: Configuration<LittleEndian, Varint, Limit<STATE_BYTES>> =
    bincode::config::standard().with_limit::<STATE_BYTES>();

/// Why bytes and value do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CodecError(pub(crate) String);

/// The bytes of a frozen shape.
pub(crate) fn encode_event<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    bincode::serde::encode_to_vec(value, EVENT).map_err(|e| CodecError(e.to_string()))
}

/// A frozen shape from its bytes, all of them.
pub(crate) fn decode_event<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let decoded = bincode::serde::decode_from_slice(bytes, EVENT);
    whole(decoded.map_err(|e| e.to_string()), bytes.len())
}

/// The bytes of a state.
pub(crate) fn encode_state<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    bincode::serde::encode_to_vec(value, STATE).map_err(|e| CodecError(e.to_string()))
}

/// A state from its bytes, all of them.
pub(crate) fn decode_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let decoded = bincode::serde::decode_from_slice(bytes, STATE);
    whole(decoded.map_err(|e| e.to_string()), bytes.len())
}

/// bincode itself does not look at what is left over.
fn whole<T>(decoded: Result<(T, usize), String>, length: usize) -> Result<T, CodecError> {
    match decoded.map_err(CodecError)? {
        (value, used) if used == length => Ok(value),
        (_, used) => Err(CodecError(format!("{} trailing bytes", length - used))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_and_hostile_lengths_are_refused() {
        let bytes = encode_event(&"name".to_owned()).unwrap();
        assert_eq!(decode_event::<String>(&bytes), Ok("name".to_owned()));
        let mut trailing = bytes;
        trailing.push(0);
        assert!(decode_event::<String>(&trailing).is_err());
        assert!(decode_event::<Vec<u64>>(&[253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
    }

    #[test]
    fn more_than_a_record_holds_is_refused() {
        assert!(decode_event::<Vec<u8>>(&encode_state(&vec![1u8; RECORD_BYTES]).unwrap()).is_err());
    }
}
