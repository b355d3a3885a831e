//! What failed outside and may have recovered by itself.

pub mod again;
