//! Which live objects are ours. The records stand in the streams of the objects that they are about.

use holdfast_engine::binding::Made;
use holdfast_engine::ids::Uid;

use super::shape::shapes;

shapes! { binding
    0x0F01 1 Bound { made: Made, live: Uid }
    0x0F02 1 Missed { made: Made, live: Uid }
}
