//! Sealed objects that are no packs: index, snapshots, intents, records of collections. Layout:
//! `"HFOB" ‖ format u16 ‖ purpose u8 ‖ reserved u8 ‖ epoch u32 ‖ salt 24 ‖ sealed ‖ tag 16`.

use super::{Open, Repo, mirror_key};
use crate::error::{Error, Malformed, Result};
use crate::seal::{FORMAT, NotOpened, Purpose, SALT_BYTES};
use crate::store::PutOutcome;
use crate::wire::{Reader, Write};

const MAGIC: &[u8; 4] = b"HFOB";
const HEAD_BYTES: usize = 12;

impl Repo<Open> {
    /// The bytes of an object whose plaintext `fill` appends. `name` is the logical key of objects that
    /// have a fixed one.
    pub(crate) fn seal_object(
        &self,
        purpose: Purpose,
        name: Option<&str>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<u8>> {
        let mut message = vec![0; SALT_BYTES];
        fill(&mut message);
        let sealer = self.sealer();
        sealer.seal(purpose, name, &mut message)?;
        let mut out = Vec::with_capacity(HEAD_BYTES + message.len());
        out.bytes(MAGIC);
        out.u16(FORMAT);
        out.u8(purpose as u8);
        out.u8(0);
        out.u32(sealer.epoch());
        out.bytes(&message);
        Ok(out)
    }

    /// The plaintext of an object's bytes.
    pub(crate) fn open_object(
        &self,
        key: &str,
        purpose: Purpose,
        name: Option<&str>,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        let (epoch, sealed) =
            parse_head(purpose, bytes).map_err(|error| Error::damaged(key, error))?;
        let mut out = Vec::new();
        let newest = self.keys().newest_epoch();
        let opened = self.opener().open(purpose, epoch, name, sealed, &mut out);
        let len = match opened {
            Ok(plain) => plain.len(),
            Err(NotOpened::Epoch) if epoch > newest => {
                return Err(Error::NewerEpoch { object: key.to_owned(), epoch, newest });
            }
            Err(error) => return Err(Error::damaged(key, error)),
        };
        out.truncate(len);
        Ok(out)
    }

    /// Reads a named object that is stored twice: the copy serves where the first is absent, damaged or
    /// not to be read. An object is absent only if both are.
    pub(crate) fn get_twice<T>(
        &self,
        key: &str,
        limit: usize,
        read: impl Fn(&str, &[u8]) -> Result<T>,
    ) -> Result<T> {
        let from = |at: &str| read(at, &self.store.get(at, limit as u64)?);
        let first = match from(key) {
            Err(error) => error,
            found => return found,
        };
        match (from(&mirror_key(key)), &first) {
            (Ok(found), _) => Ok(found),
            // Absent here and damaged there is damage.
            (Err(second), Error::Store(absent)) if absent.is_not_found() => Err(second),
            _ => Err(first),
        }
    }

    /// Puts an object and its copy, if the name is free.
    pub(crate) fn put_twice(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome> {
        let outcome = self.store.put_new(key, bytes)?;
        if outcome == PutOutcome::Created {
            self.store.put_new(&mirror_key(key), bytes)?;
        }
        Ok(outcome)
    }
}

fn parse_head(purpose: Purpose, bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.bytes("magic", MAGIC.len())? != MAGIC {
        return Err(Malformed { field: "magic", reason: "is not that of a sealed object" });
    }
    if reader.u16("format")? != FORMAT {
        return Err(Malformed { field: "format", reason: "is not the one of this program" });
    }
    if reader.u8("purpose")? != purpose as u8 {
        return Err(Malformed { field: "purpose", reason: "is another one" });
    }
    if reader.u8("reserved byte")? != 0 {
        return Err(Malformed { field: "reserved byte", reason: "is not 0" });
    }
    let epoch = reader.u32("epoch")?;
    Ok((epoch, reader.bytes("sealed part", reader.remaining())?))
}
