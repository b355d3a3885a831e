//! HookTemplate.

use holdfast_engine::hook::Spec;
use holdfast_engine::ids::{Hash, Key, Uid};

use super::shape::shapes;

shapes! { hook
    0x0601 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, spec: Spec }
    0x0602 1 Deleted { uid: Uid, key: Key }
}
