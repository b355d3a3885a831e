//! Names and numbers that identify things.

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::event::StreamKind;
use crate::group::Group;

/// Identity of one object for its whole life; a new object of the same name has another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Uid(pub [u8; 16]);

impl Uid {
    /// A uid that follows from this one and a name: the same every time, so that what is made for
    /// them is made once (FNV-1a over 128 bits; no secret, only spread).
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        self.spread(name.as_bytes())
    }

    pub(crate) fn spread(self, name: &[u8]) -> Self {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let bytes = self.0.iter().chain(name);
        let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
        Self(hash.to_be_bytes())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Identity of a command; the same command twice has one effect and one answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct CommandId(pub [u8; 16]);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uid(self.0), f)
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hash of an object's content as the operator saw it (design: what is hashed is fixed outside).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// API group, namespace and name of an object, whose kind is known; cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Key {
    /// API group: two objects of one kind and name in two groups are two objects.
    pub group: Group,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Key {
    /// A key of these parts.
    pub fn new(group: Group, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { group, namespace: namespace.into(), name: name.into() }
    }

    /// A key in the group without a name: a Secret, or with an empty namespace a Namespace.
    pub fn core(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(Group::Core, namespace, name)
    }

    /// What an object of this name means by a bare name: an object of its own family in its own namespace.
    #[must_use]
    pub fn sibling(&self, kind: StreamKind, name: impl Into<String>) -> Self {
        self.relative(kind, self.namespace.clone(), name)
    }

    /// An object of the same family in another namespace.
    #[must_use]
    pub fn relative(
        &self,
        kind: StreamKind,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self::new(self.group.family().group(kind), namespace, name)
    }

    /// The name with its group, for whoever has to tell two objects of one name from each other.
    #[must_use]
    pub fn full(&self) -> String {
        if self.group.as_str().is_empty() {
            format!("{self}")
        } else {
            format!("{} {self}", self.group)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// Reference to an object of any kind, as targets and app references are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct TypedRef {
    /// API group; empty for the core group, `na` for the absent target.
    pub api_group: String,
    /// Kind; empty for the absent target.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects and the absent target.
    pub namespace: String,
    /// Name; `na` for the absent target.
    pub name: String,
}

impl TypedRef {
    /// What stands for "no target" in references and labels (behaviour reference, section 4).
    #[must_use]
    pub fn absent() -> Self {
        Self {
            api_group: "na".into(),
            kind: String::new(),
            namespace: String::new(),
            name: "na".into(),
        }
    }

    /// The object's name, when its group is one that the state has names of.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        let group = Group::named(&self.api_group)?;
        Some(Key::new(group, self.namespace.clone(), self.name.clone()))
    }
}

impl fmt::Display for TypedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Key::core(self.namespace.clone(), self.name.clone());
        write!(f, "{} {key}", self.kind)
    }
}

/// Identity of a once-effect: sequence number of the event that requested it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(pub u64);

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One try of one component by one worker; a report is accepted while its attempt is current.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The BackupSession or RestoreSession.
    pub session: Uid,
    /// Component name.
    pub component: String,
    /// Starts at 1.
    pub number: u32,
}
