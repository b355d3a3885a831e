//! Every bound of the format and of the machine, each with its reason. Units come last in the name.

/// A block is closed once its plaintext reaches this: larger ones compress 1 % better and cost more
/// memory and more reading for a single file (ADR 0007 has the figures).
pub const BLOCK_TARGET_BYTES: usize = 2 * 1024 * 1024;

/// A block is closed at this many blobs, so that its header stays under 33 KiB.
pub const BLOCK_MAX_BLOBS: usize = 8_192;

/// A blob from this size on is a block alone: it fills one. Smaller neighbours of a file are compressed together.
pub const BLOB_ALONE_BYTES: usize = BLOCK_TARGET_BYTES;

/// Largest blob, and so largest plaintext of a block, that a reader accepts.
pub const BLOB_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Largest sealed block: salt, header with all lengths, plaintext that did not compress, tag.
pub const BLOCK_SEALED_MAX_BYTES: usize = BLOB_MAX_BYTES + 64 * 1024;

/// Most blobs in one pack: 18 bytes each keep a footer below its own bound.
pub const PACK_MAX_BLOBS: usize = 131_072;

/// Most blocks in one pack: a block has at least one blob.
pub const PACK_MAX_BLOCKS: usize = PACK_MAX_BLOBS;

/// Largest pack anywhere: a put is retried from one buffer.
pub const PACK_MAX_BYTES: u64 = 128 * 1024 * 1024;

/// Pack size aimed at on object stores, and for trees and lists anywhere.
pub const PACK_OBJECT_TARGET_BYTES: u64 = 16 * 1024 * 1024;

/// Pack size aimed at on file systems, where packs are streamed and need no memory.
pub const PACK_FILE_TARGET_BYTES: u64 = 64 * 1024 * 1024;

/// A pack near its target ends where padding is at most this part of it: a smaller part is met too seldom.
pub const PACK_PADDING_PART: u64 = 256;

/// No pack is smaller: below this Padme would show too much.
pub const PACK_FLOOR_BYTES: u64 = 64 * 1024;

/// Largest sealed footer.
pub const FOOTER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Largest index object that is written; a record that would pass it begins the next object.
pub const INDEX_TARGET_BYTES: usize = 4 * 1024 * 1024;

/// Largest index object that is read: one record alone may be a full footer.
pub const INDEX_MAX_BYTES: usize = INDEX_TARGET_BYTES + FOOTER_MAX_BYTES;

/// Packs after which an index object is written, so that a killed run loses little.
pub const INDEX_EVERY_PACKS: usize = 64;

/// Seconds after which an index object is written, for slow stores.
pub const INDEX_EVERY_SECONDS: u64 = 60;

/// Most index objects that a merged one may replace.
pub const INDEX_MAX_REPLACES: usize = 65_536;

/// Blobs that an index in memory may hold: positions are 32 bits.
pub const INDEX_MAX_BLOBS: usize = 1 << 31;

/// Largest snapshot object: roots, labels and names of index objects.
pub const SNAPSHOT_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most roots of a snapshot.
pub const SNAPSHOT_MAX_ROOTS: usize = 4_096;

/// Most tags, labels and selection rules of a snapshot, each.
pub const SNAPSHOT_MAX_LABELS: usize = 4_096;

/// Most index objects that one session may name.
pub const SNAPSHOT_MAX_INDEXES: usize = 262_144;

/// Longest text in a named object.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

/// Largest config object.
pub const CONFIG_MAX_BYTES: usize = 4 * 1024;

/// Largest key slot: 1,024 epochs of 32 bytes and the rest.
pub const SLOT_MAX_BYTES: usize = 64 * 1024;

/// Most key slots that are tried: each costs a key derivation.
pub const SLOTS_MAX: usize = 32;

/// What trying key slots may cost together, in KiB of memory times passes over them: 32 derivations as this program
/// asks for them, some ten seconds. The first one may cost what it costs.
pub const SLOTS_WORK_MAX: u64 = SLOTS_MAX as u64 * 64 * 1024 * 3;

/// Most objects beneath `keys/` that are read to open a repository, those first that were there first.
pub const SLOTS_READ_MAX: usize = 256;

/// Most objects beneath `keys/` that are looked at at all: who can put objects can put junk.
pub const SLOT_OBJECTS_MAX: usize = 16_384;

/// Longest label of a key slot; its length is one byte.
pub const SLOT_LABEL_MAX_BYTES: usize = 255;

/// Most epochs in a key bundle.
pub const EPOCHS_MAX: usize = 1_024;

/// Largest intent object.
pub const INTENT_MAX_BYTES: usize = 64 * 1024;

/// An intent that was not renewed for this long is lapsed: its writer may not commit any more.
pub const INTENT_LAPSE_MS: i64 = 96 * 3600 * 1000;

/// How often a session renews its intent: sixteen chances before it lapses.
pub const INTENT_RENEW_SECONDS: u64 = 6 * 3600;

/// Largest mark of a snapshot: the name of a pack, sealed.
pub const MARK_MAX_BYTES: usize = 1024;

/// Largest record of a collection: 32 bytes a pack, two million packs.
pub const GC_RECORD_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Largest report that a worker leaves in the repository.
pub const REPORT_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Smallest memory of Argon2id that is accepted on reading, OWASP's lowest recommendation.
pub const KDF_MIN_MEMORY_KIB: u32 = 19 * 1024;

/// Largest memory of Argon2id that is accepted on reading: a hostile slot must not burn a node.
pub const KDF_MAX_MEMORY_KIB: u32 = 1024 * 1024;

/// Most passes of Argon2id that are accepted on reading.
pub const KDF_MAX_PASSES: u32 = 10;

/// Most lanes of Argon2id that are accepted on reading.
pub const KDF_MAX_LANES: u32 = 16;

/// Bytes of opened blocks that a reader keeps.
pub const READ_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of blocks that are being fetched, or were, before somebody reads them: most of what a reader keeps, so that
/// they are still there when their turn comes.
pub const READ_AHEAD_BYTES: usize = READ_CACHE_BYTES / 4 * 3;

/// Bytes that one merged read may have: sixteen of them are in flight from a store that is far away.
pub const READ_MERGE_MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Most paths that a check lists as lost: a small tree may lead to one lost blob by more paths than memory holds.
pub const AFFECTED_MAX: usize = 65_536;

/// Most objects that a listing of an object store may name: 128 TiB of packs at the size that is aimed at. A
/// server that lists more lists for ever.
pub const LISTING_MAX_OBJECTS: usize = 8 * 1024 * 1024;
