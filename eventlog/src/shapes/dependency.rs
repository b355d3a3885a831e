//! Objects that others depend on.

use holdfast_engine::dependency::Facts;
use holdfast_engine::ids::{Hash, TypedRef, Uid};

use super::shape::shapes;

shapes! { dependency
    0x0301 1 Observed { uid: Uid, object: TypedRef, hash: Hash, facts: Facts }
    0x0302 1 Gone { uid: Uid, object: TypedRef }
}
