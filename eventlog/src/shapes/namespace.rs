//! Namespaces.

use std::collections::BTreeMap;

use holdfast_engine::ids::Uid;

use super::shape::shapes;

shapes! { namespace
    0x0201 1 Observed { uid: Uid, name: String, labels: BTreeMap<String, String>, allowed_namespaces: Option<String> }
    0x0202 1 Gone { uid: Uid, name: String }
}
