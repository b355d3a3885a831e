//! Options that choose snapshots, the same for every verb that takes several.

use clap::Args;
use holdfast_executor::repo::Filter;

/// Which snapshots.
#[derive(Debug, Clone, Default, Args)]
pub struct Choose {
    /// Only snapshots of this machine. Can be repeated: of one of them.
    #[arg(long, short = 'H', value_name = "HOST")]
    host: Vec<String>,
    /// Only snapshots with all of these tags. Can be repeated: with all of one list. An empty text means
    /// snapshots without tags.
    #[arg(long, value_name = "TAG[,TAG…]")]
    tag: Vec<String>,
    /// Only snapshots of this path. Can be repeated: of all of them.
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
}

impl Choose {
    /// The conditions as the executor takes them.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let tags = self.tag.iter().map(|list| tags(list)).collect();
        Filter { hosts: self.host.clone(), tags, paths: self.path.clone() }
    }
}

/// The tags of a list with commas.
#[must_use]
pub fn tags(list: &str) -> Vec<String> {
    list.split(',').map(|tag| tag.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_tags() {
        assert_eq!(tags("a, b"), ["a", "b"]);
        assert_eq!(tags(""), [""]);
    }
}
