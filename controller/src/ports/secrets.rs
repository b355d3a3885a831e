//! The values of Secrets, asked for when a job is handed out and kept nowhere.

use std::pin::Pin;

use holdfast_engine::{Failure, Key};
use zeroize::Zeroizing;

/// What comes of asking for a value: none where there is no such Secret or no such key in it.
pub type Value = Result<Option<Zeroizing<Vec<u8>>>, Failure>;

/// Where values of Secrets come from.
pub trait Secrets: Send + Sync {
    /// The value of a key of a Secret as it is now.
    fn value<'a>(
        &'a self,
        secret: &'a Key,
        key: &'a str,
    ) -> Pin<Box<dyn Future<Output = Value> + Send + 'a>>;
}
