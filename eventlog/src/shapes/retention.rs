//! RetentionPolicy.

use holdfast_engine::ids::{Hash, Key, Uid};
use holdfast_engine::retention::Spec;

use super::shape::shapes;

shapes! { retention
    0x0501 1 Declared { uid: Uid, key: Key, generation: u64, hash: Hash, spec: Spec }
    0x0502 1 Deleted { uid: Uid, key: Key }
}
