//! Makes the metadata of an entry what the snapshot says: owner, attributes and access lists, mode, time.
//!
//! The content is there before any of this begins, and nothing here takes it away. Each call stands alone: what
//! the target refuses is remembered by its name, and the next call is made all the same. What is equal already
//! is not set again, so that a second restore makes no call that could fail. Whatever fails, and in whatever
//! order, nobody gets rights that the snapshot does not give.

use std::fmt;

use rustix::fs::FileType;
use rustix::io::{Errno, Result as Done};

use super::attributes::{
    ACCESS_LIST, CAPABILITY, Chosen, DEFAULT_LIST, count_refused, is_foreign, is_list, may_set,
    without_list,
};
use super::entry::{Entry, Seen};
use crate::error::Error;
use crate::report::Skipped;
use crate::tree::{Attribute, Node, NodeKind, Time};

/// Setuid and setgid.
const SET_ID_BITS: u32 = 0o6000;
/// Of a directory: what is made in it belongs to its group, and its directories have this bit too.
const SET_GROUP_BIT: u32 = 0o2000;
/// Read, write and search of the owning group; with an access list, the most that it gives.
const GROUP_BITS: u32 = 0o070;
/// Those of everybody else.
const OTHER_BITS: u32 = 0o007;
/// What an owner needs to read and set attributes.
const WORK_BITS: u32 = 0o600;
/// File systems keep times in steps of up to two seconds: that much is no other time.
const COARSE_NANOS: i128 = 2_000_000_000;

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there before this run.
    Before,
    /// This run has made it: what it has now came from the target and not from anybody.
    Made,
    /// The same of a file in a directory that hands no access list on: it has no attributes, but for what a file
    /// system makes up. What a file had that was made beside it, it will have too: that is looked at in the end, and
    /// not before.
    MadeBare { like: Option<Seen> },
}

impl Origin {
    /// Of an entry that this run has made or not, wherever it is.
    pub(super) fn of(fresh: bool) -> Self {
        if fresh { Self::Made } else { Self::Before }
    }
}

/// What a restore wants of one entry.
pub(super) struct Terms<'t> {
    pub(super) node: &'t Node,
    /// The snapshot's attributes; nothing where they are damaged.
    pub(super) wanted: Option<&'t [Attribute]>,
    pub(super) chosen: &'t Chosen,
    pub(super) privileged: bool,
    pub(super) origin: Origin,
}

impl Terms<'_> {
    fn fresh(&self) -> bool {
        self.origin != Origin::Before
    }
}

/// Something that the target refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    what: String,
    /// Nothing where the call succeeded and did not do it.
    errno: Option<Errno>,
}

/// What came of the metadata of an entry.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// What it had before.
    pub(super) had: Option<Seen>,
    pub(super) refused: Vec<Refused>,
    pub(super) skipped: Skipped,
    pub(super) damaged: Option<Error>,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is there, but the target does not take")?;
        let mut mark = "";
        for refused in &self.refused {
            write!(f, "{mark} {}", refused.what)?;
            if let Some(errno) = refused.errno {
                write!(f, " ({})", std::io::Error::from(errno))?;
            }
            mark = ",";
        }
        Ok(())
    }
}

/// Makes the metadata of an entry equal to what is wanted, as far as the target takes it.
pub(super) fn settle(entry: &impl Entry, terms: &Terms<'_>) -> Settled {
    if let Origin::MadeBare { like: Some(like) } = terms.origin
        && let Some(settled) = settle_alike(entry, terms, like)
    {
        return settled;
    }
    let before = match entry.seen() {
        Ok(seen) => seen,
        Err(errno) => {
            let mut settled = Settled::default();
            settled.refused.push(Refused { what: "any metadata".to_owned(), errno: Some(errno) });
            return settled;
        }
    };
    let mut work = Work::new(entry, terms, before);
    let mode = work.all();
    if work.now != before || terms.fresh() {
        let told = work.now;
        work.look();
        work.compare(told, mode);
    }
    work.forgive_others(&before, mode);
    work.settled
}

/// The same for a file that is taken to have what its neighbour had. Nothing where it turns out otherwise.
fn settle_alike(entry: &impl Entry, terms: &Terms<'_>, like: Seen) -> Option<Settled> {
    let mut work = Work::new(entry, terms, like);
    work.all();
    let told = work.now;
    (work.settled.refused.is_empty() && entry.seen().is_ok_and(|seen| seen == told))
        .then_some(work.settled)
}

struct Work<'w, E: Entry> {
    entry: &'w E,
    terms: &'w Terms<'w>,
    /// What the entry has by now.
    now: Seen,
    settled: Settled,
    /// Whether the owner was given more than the final mode for a while.
    loosened: bool,
}

impl<'w, E: Entry> Work<'w, E> {
    fn new(entry: &'w E, terms: &'w Terms<'w>, now: Seen) -> Self {
        let settled = Settled { had: Some(now), ..Settled::default() };
        Self { entry, terms, now, settled, loosened: false }
    }

    /// Makes every call that is needed. Returns the mode that the entry is to have.
    fn all(&mut self) -> u32 {
        self.owner();
        let mode = self.mode_for_owner();
        let mode = self.attributes(mode);
        self.mode(mode);
        self.time();
        mode
    }

    fn refuse(&mut self, what: impl Into<String>, errno: Errno) {
        self.settled.refused.push(Refused { what: what.into(), errno: Some(errno) });
    }

    /// Sets a mode on the way to the final one; what is refused shows itself again at the end.
    fn passing_mode(&mut self, mode: u32) {
        if self.now.kind != FileType::Symlink
            && mode != self.now.mode
            && self.entry.set_mode(mode).is_ok()
        {
            self.now.mode = mode;
        }
    }

    fn look(&mut self) {
        if let Ok(seen) = self.entry.seen() {
            self.now = seen;
        }
    }

    fn owner(&mut self) {
        let node = self.terms.node;
        if (self.now.uid, self.now.gid) == (node.uid, node.gid) {
            return;
        }
        if !self.terms.privileged {
            self.settled.skipped.owners += 1;
            return;
        }
        if !self.terms.fresh() {
            // Before others own it, it gives no more than it will give in the end.
            self.passing_mode(self.now.mode & node.mode & 0o777);
        }
        if self.entry.own(Some(node.uid), Some(node.gid)).is_err() {
            // One of them may be allowed alone: the group first, as an owner may choose among its own.
            let mut refused = false;
            if self.now.gid != node.gid
                && let Err(errno) = self.entry.own(None, Some(node.gid))
            {
                self.refuse(format!("group {}", node.gid), errno);
                refused = true;
            }
            if self.now.uid != node.uid
                && let Err(errno) = self.entry.own(Some(node.uid), None)
            {
                self.refuse(format!("owner {}", node.uid), errno);
                refused = true;
            }
            self.settled.skipped.owners += u64::from(refused);
        }
        // The kernel takes setuid, setgid and capabilities away with the owner.
        self.look();
    }

    /// The mode of the snapshot, without what it would lend to other owners than the snapshot's.
    fn mode_for_owner(&mut self) -> u32 {
        let node = self.terms.node;
        let mut mode = node.mode & 0o7777;
        let same = (self.now.uid, self.now.gid) == (node.uid, node.gid);
        if !(self.terms.privileged && same) {
            // A directory lends no rights by it: volumes hand it on so that what is made later belongs to their
            // group, and a restore as an ordinary user leaves it to them.
            let handed_on = match self.now.kind {
                FileType::Directory if !self.terms.privileged => self.now.mode & SET_GROUP_BIT,
                _ => 0,
            };
            self.settled.skipped.setuid += u64::from(mode & SET_ID_BITS & !handed_on != 0);
            mode = mode & !SET_ID_BITS | handed_on;
        }
        if self.terms.privileged && self.now.gid != node.gid {
            // Its members were others to the snapshot.
            mode &= !GROUP_BITS | ((mode & OTHER_BITS) << 3);
        }
        mode
    }

    /// Sets, replaces and removes attributes. Returns the mode that the entry may have after that.
    fn attributes(&mut self, mode: u32) -> u32 {
        let names = match self.terms.origin {
            Origin::MadeBare { .. } => Ok(Vec::new()),
            Origin::Before | Origin::Made => self.entry.names(),
        };
        let has = match names {
            Ok(names) => names,
            Err(Errno::NOTSUP | Errno::NOSYS) => Vec::new(),
            Err(errno) => {
                self.refuse("a look at its attributes", errno);
                // What may have been inherited must go, seen or not.
                let lists = [ACCESS_LIST, DEFAULT_LIST].into_iter();
                lists.filter(|_| self.terms.fresh()).map(<[u8]>::to_vec).collect()
            }
        };
        let Some(wanted) = self.terms.wanted else {
            let mode = mode & (!GROUP_BITS | ((mode & OTHER_BITS) << 3));
            return if self.terms.fresh() { self.lists(mode, &[], &has) } else { mode };
        };
        let known = |name: &[u8]| has.iter().any(|has| has == name);
        for attribute in wanted.iter().filter(|attribute| !is_list(&attribute.name)) {
            let name = &attribute.name[..];
            if self.terms.chosen.holds(name)
                && (self.terms.privileged || may_set(name, &mut self.settled.skipped))
                && !(known(name) && self.has_value(attribute))
            {
                self.set(attribute);
            }
        }
        for name in has.iter().filter(|name| !is_list(name)) {
            let same = wanted.iter().find(|attribute| attribute.name == *name);
            // Capabilities that this run may not set stay only if they are the snapshot's.
            let stays = same.is_some_and(|same| {
                self.terms.privileged || name != CAPABILITY || self.has_value(same)
            });
            if !stays && is_foreign(name, self.terms.privileged) && self.terms.chosen.holds(name) {
                self.remove(name);
            }
        }
        self.lists(mode, wanted, &has)
    }

    /// Access lists: those of the snapshot, and no other. Before each step the mode is such that no outcome
    /// gives anybody more than the snapshot does.
    fn lists(&mut self, mode: u32, wanted: &[Attribute], has: &[Vec<u8>]) -> u32 {
        let find = |name: &[u8]| wanted.iter().find(|attribute| attribute.name == name);
        let has = |name: &[u8]| has.iter().any(|has| has == name);
        let chosen = |name: &[u8]| self.terms.chosen.holds(name);
        let (chosen_access, chosen_default) = (chosen(ACCESS_LIST), chosen(DEFAULT_LIST));
        match find(DEFAULT_LIST).filter(|_| chosen_default) {
            Some(list) if has(DEFAULT_LIST) && self.has_value(list) => {}
            Some(list) => drop(self.set(list)),
            None if has(DEFAULT_LIST) && (chosen_default || self.terms.fresh()) => {
                self.remove(DEFAULT_LIST);
            }
            None => {}
        }
        let list = find(ACCESS_LIST);
        let alone = list.map_or(mode, |list| without_list(mode, &list.value));
        match list.filter(|_| chosen_access) {
            Some(list) if has(ACCESS_LIST) && self.has_value(list) => return mode,
            Some(list) if self.set(list) => {
                self.look();
                return mode;
            }
            Some(_) => {}
            // The target's own list stays when the user said so, with the mask that the mode is.
            None if has(ACCESS_LIST) && !chosen_access && !self.terms.fresh() => return mode,
            None => {}
        }
        if !has(ACCESS_LIST) {
            return alone;
        }
        self.passing_mode(self.now.mode & !GROUP_BITS);
        let removed = self.remove(ACCESS_LIST);
        // A list that stays is given nothing that it could hand out.
        if removed { alone } else { alone & !GROUP_BITS }
    }

    fn has_value(&mut self, attribute: &Attribute) -> bool {
        let entry = self.entry;
        let value = self.loosening(|| entry.value(&attribute.name));
        value.is_ok_and(|value| value == attribute.value)
    }

    fn set(&mut self, attribute: &Attribute) -> bool {
        let entry = self.entry;
        let Err(errno) = self.loosening(|| entry.set(&attribute.name, &attribute.value)) else {
            return true;
        };
        count_refused(&attribute.name, errno == Errno::NOTSUP, &mut self.settled.skipped);
        self.refuse(shown(&attribute.name), errno);
        false
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        let entry = self.entry;
        match self.loosening(|| entry.remove(name)) {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => true,
            Err(errno) => {
                self.refuse(format!("the removal of {}", shown(name)), errno);
                false
            }
        }
    }

    /// Reading and setting needs rights on the content. An owner who has none takes them for so long.
    fn loosening<T>(&mut self, call: impl Fn() -> Done<T>) -> Done<T> {
        match call() {
            Err(Errno::ACCESS) if !self.loosened && self.now.uid == self.entry.me() => {
                self.loosened = true;
                self.passing_mode(self.now.mode | WORK_BITS);
                call()
            }
            done => done,
        }
    }

    fn mode(&mut self, mode: u32) {
        if self.now.kind == FileType::Symlink || self.now.mode == mode {
            return;
        }
        match self.entry.set_mode(mode) {
            Ok(()) => self.now.mode = mode,
            Err(errno) => self.refuse(format!("mode {mode:04o}"), errno),
        }
    }

    fn time(&mut self) {
        let mtime = self.terms.node.mtime;
        if self.now.mtime == mtime {
            return;
        }
        match self.entry.set_time(mtime) {
            Ok(()) => self.now.mtime = mtime,
            Err(errno) => self.refuse(time(mtime), errno),
        }
    }

    /// Some file systems take a call and do something else, or nothing.
    fn compare(&mut self, told: Seen, mode: u32) {
        let has = self.now;
        if told.mode == mode && has.mode != mode && has.kind != FileType::Symlink {
            // Whoever is not in the group that a volume hands on loses this bit with any change of the mode.
            let only_group_bit = has.kind == FileType::Directory
                && !self.terms.privileged
                && has.mode | SET_GROUP_BIT == mode;
            if only_group_bit {
                self.settled.skipped.setuid = self.settled.skipped.setuid.max(1);
            } else {
                let what = format!("mode {mode:04o} and keeps {:04o}", has.mode);
                self.settled.refused.push(Refused { what, errno: None });
            }
        }
        let mtime = self.terms.node.mtime;
        if told.mtime == mtime && has.mtime != mtime {
            if (has.mtime.as_nanos() - mtime.as_nanos()).abs() <= COARSE_NANOS {
                self.settled.skipped.coarse_times += 1;
            } else {
                let what = format!("{} and keeps that of {}", time(mtime), has.mtime.seconds);
                self.settled.refused.push(Refused { what, errno: None });
            }
        }
    }

    /// What was there before and belongs to another is not ours to change: a volume that only its group may
    /// write is the ordinary case. It is counted. A file that others may use now, and by the snapshot may not,
    /// is told all the same.
    fn forgive_others(&mut self, before: &Seen, mode: u32) {
        let refused = &self.settled.refused;
        let ours = self.terms.fresh() || self.terms.privileged || before.uid == self.entry.me();
        let rights = [Some(Errno::PERM), Some(Errno::ACCESS)];
        if ours
            || refused.is_empty()
            || !refused.iter().all(|refused| rights.contains(&refused.errno))
            || (matches!(self.terms.node.kind, NodeKind::File { .. })
                && self.now.mode & OTHER_BITS & !mode != 0)
        {
            return;
        }
        self.settled.refused.clear();
        self.settled.skipped.belongs_to_another += 1;
    }
}

fn shown(name: &[u8]) -> String {
    match name {
        ACCESS_LIST => "the access list".to_owned(),
        DEFAULT_LIST => "the default access list".to_owned(),
        name => format!("attribute {}", crate::report::printable(name)),
    }
}

fn time(mtime: Time) -> String {
    format!("the time {}.{:09}", mtime.seconds, mtime.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// Every errno that the manual pages of the calls name, and those that file systems give besides.
    const ERRNOS: [Errno; 22] = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::INVAL,
        Errno::NOTSUP,
        Errno::NOSYS,
        Errno::OVERFLOW,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::IO,
        Errno::TOOBIG,
        Errno::RANGE,
        Errno::NODATA,
        Errno::BADF,
        Errno::FAULT,
        Errno::NOENT,
        Errno::NOTDIR,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::NOMEM,
        Errno::SRCH,
        Errno::STALE,
    ];
    const CALLS: [&str; 8] = ["seen", "own", "mode", "time", "names", "value", "set", "remove"];
    const ME: u32 = 0;

    /// An entry in memory that keeps metadata as Linux does, and refuses one call.
    struct Fake {
        seen: RefCell<Seen>,
        has: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
        refuses: Option<(&'static str, Errno)>,
        calls: RefCell<Vec<&'static str>>,
        /// Who asks is not in the group.
        takes_group_bit: bool,
    }

    impl Fake {
        fn new(mode: u32) -> Self {
            let (mtime, kind) = (Time::default(), FileType::RegularFile);
            let seen = RefCell::new(Seen { kind, uid: ME, gid: 0, mode, mtime });
            let (has, calls) = Default::default();
            Self { seen, has, refuses: None, calls, takes_group_bit: false }
        }

        fn with(self, name: &[u8], value: &[u8]) -> Self {
            self.has.borrow_mut().insert(name.to_vec(), value.to_vec());
            self
        }

        fn call(&self, name: &'static str) -> Done<()> {
            self.calls.borrow_mut().push(name);
            match self.refuses {
                Some((refused, errno)) if refused == name => Err(errno),
                _ => Ok(()),
            }
        }

        /// What the group and named others may do at most.
        fn rights(&self) -> u32 {
            self.seen.borrow().mode & 0o7777
        }
    }

    impl Entry for Fake {
        fn seen(&self) -> Done<Seen> {
            self.call("seen").map(|()| *self.seen.borrow())
        }

        fn own(&self, uid: Option<u32>, gid: Option<u32>) -> Done<()> {
            self.call("own")?;
            let mut seen = self.seen.borrow_mut();
            seen.uid = uid.unwrap_or(seen.uid);
            seen.gid = gid.unwrap_or(seen.gid);
            seen.mode &= !SET_ID_BITS;
            self.has.borrow_mut().remove(CAPABILITY);
            Ok(())
        }

        fn set_mode(&self, mode: u32) -> Done<()> {
            self.call("mode")?;
            let taken = if self.takes_group_bit { SET_GROUP_BIT } else { 0 };
            self.seen.borrow_mut().mode = mode & !taken;
            Ok(())
        }

        fn set_time(&self, mtime: Time) -> Done<()> {
            self.call("time")?;
            self.seen.borrow_mut().mtime = mtime;
            Ok(())
        }

        fn names(&self) -> Done<Vec<Vec<u8>>> {
            self.call("names")?;
            Ok(self.has.borrow().keys().cloned().collect())
        }

        fn value(&self, name: &[u8]) -> Done<Vec<u8>> {
            self.call("value")?;
            self.has.borrow().get(name).cloned().ok_or(Errno::NODATA)
        }

        fn set(&self, name: &[u8], value: &[u8]) -> Done<()> {
            self.call("set")?;
            if name == ACCESS_LIST {
                // The list says what the mode is: here what its test made of it.
                let mode = u32::from(value[value.len() - 1]);
                self.seen.borrow_mut().mode = self.rights() & !0o777 | mode;
            }
            self.has.borrow_mut().insert(name.to_vec(), value.to_vec());
            Ok(())
        }

        fn remove(&self, name: &[u8]) -> Done<()> {
            self.call("remove")?;
            self.has.borrow_mut().remove(name).map(drop).ok_or(Errno::NODATA)
        }

        fn me(&self) -> u32 {
            ME
        }
    }

    /// `user::rw- group::--- user:1:rw- mask::rw- other::---`; the last byte is the mode for the fake.
    fn list() -> Vec<u8> {
        let mut list = 2u32.to_le_bytes().to_vec();
        for (tag, rights) in [(1u16, 6u16), (2, 6), (4, 0), (0x10, 6), (0x20, 0)] {
            list.extend(tag.to_le_bytes());
            list.extend(rights.to_le_bytes());
            list.extend(1u32.to_le_bytes());
        }
        list.push(0o260);
        list
    }

    fn node() -> Node {
        let kind = NodeKind::File { size: 0, content: crate::tree::Content::Pieces(Vec::new()) };
        let mut node = Node::bare(b"f", kind, 0o4640, Time { seconds: 5, nanos: 6 });
        (node.uid, node.gid) = (1, 2);
        node
    }

    fn attribute(name: &[u8], value: &[u8]) -> Attribute {
        Attribute { name: name.to_vec(), value: value.to_vec() }
    }

    fn run(fake: &Fake, node: &Node, wanted: &[Attribute], fresh: bool) -> Settled {
        run_as(fake, node, wanted, fresh, true)
    }

    fn run_as(
        fake: &Fake,
        node: &Node,
        wanted: &[Attribute],
        fresh: bool,
        privileged: bool,
    ) -> Settled {
        run_from(fake, node, wanted, Origin::of(fresh), privileged)
    }

    fn run_from(
        fake: &Fake,
        node: &Node,
        wanted: &[Attribute],
        origin: Origin,
        privileged: bool,
    ) -> Settled {
        let chosen = &Chosen::new(&[], &[]).unwrap();
        settle(fake, &Terms { node, wanted: Some(wanted), chosen, privileged, origin })
    }

    #[test]
    fn k05_what_one_call_is_refused_costs_only_what_it_sets() {
        let node = node();
        let wanted = [attribute(b"user.a", b"1"), attribute(CAPABILITY, b"c")];
        let whole = Fake::new(0o600).with(b"user.foreign", b"x");
        assert_eq!(run(&whole, &node, &wanted, true).refused, []);
        for call in CALLS {
            for errno in ERRNOS {
                let mut fake = Fake::new(0o600).with(b"user.foreign", b"x");
                fake.refuses = Some((call, errno));
                let settled = run(&fake, &node, &wanted, true);
                let calls = fake.calls.borrow();
                let seen = *fake.seen.borrow();
                let told = settled.refused.iter().any(|refused| refused.errno == Some(errno));
                let is_silent = match call {
                    // No attributes at all; nothing to remove; a value that is set anew.
                    "names" => matches!(errno, Errno::NOTSUP | Errno::NOSYS),
                    "remove" => matches!(errno, Errno::NODATA | Errno::NOTSUP),
                    "value" => true,
                    _ => false,
                };
                assert_eq!(told, !is_silent, "{call} {errno:?}: {settled:?}");
                if call == "seen" {
                    continue;
                }
                for other in ["own", "time", "set"] {
                    assert!(calls.contains(&other), "{other} was not called after {call}");
                }
                assert!(call == "time" || seen.mtime == node.mtime, "{call} {errno:?}");
                // Only to the owner of the snapshot go the bits that lend its rights, and the group's to its group.
                let owned = (seen.uid, seen.gid) == (node.uid, node.gid);
                let expected = match call {
                    "mode" => 0o600,
                    _ if owned => 0o4640,
                    _ => 0o600,
                };
                assert_eq!(seen.mode, expected, "{call} {errno:?}");
            }
        }
    }

    #[test]
    fn k06_a_list_that_is_refused_leaves_no_wider_mode() {
        let mut node = node();
        (node.uid, node.gid, node.mode) = (0, 0, 0o660);
        let wanted = [attribute(ACCESS_LIST, &list())];
        for (call, fresh) in [("set", true), ("set", false), ("names", true)] {
            let mut fake = Fake::new(0o600);
            fake.refuses = Some((call, Errno::NOSPC));
            let settled = run(&fake, &node, &wanted, fresh);
            let expected = if call == "set" { 0o600 } else { 0o660 };
            assert_eq!(fake.rights(), expected, "the mask was that of somebody named: {call}");
            assert!(!settled.refused.is_empty());
        }
    }

    #[test]
    fn k06_a_list_that_nobody_asked_for_goes_or_gives_nothing() {
        let mut node = node();
        (node.uid, node.gid, node.mode) = (0, 0, 0o644);
        for fresh in [true, false] {
            let fake =
                Fake::new(0o664).with(ACCESS_LIST, b"foreign").with(DEFAULT_LIST, b"foreign");
            assert_eq!(run(&fake, &node, &[], fresh).refused, []);
            assert_eq!((fake.rights(), fake.has.borrow().len()), (0o644, 0));
            let mut fake = Fake::new(0o664).with(ACCESS_LIST, b"foreign");
            fake.refuses = Some(("remove", Errno::PERM));
            let settled = run(&fake, &node, &[], fresh);
            assert_eq!(fake.rights(), 0o604, "as a mask these bits hand nothing out");
            assert_eq!(settled.refused.len(), 1, "{settled:?}");
        }
    }

    /// Whatever a neighbour had, and whatever is refused: it comes to the same as looking first.
    #[test]
    fn what_a_neighbour_had_is_a_guess_and_no_more() {
        let mut node = node();
        node.mode = 0o640;
        let wanted = [attribute(b"user.a", b"1")];
        let made = Seen { mtime: Time { seconds: 9, nanos: 9 }, ..*Fake::new(0o600).seen.borrow() };
        let likes = [
            made,
            Seen { uid: 1, ..made },
            Seen { gid: 2, ..made },
            Seen { uid: 1, gid: 2, mode: 0o640, mtime: node.mtime, ..made },
            Seen { mode: 0o644, ..made },
            Seen { mtime: node.mtime, ..made },
            Seen { kind: FileType::Directory, ..made },
        ];
        // Without a first look more is set, and the rest is told as ever.
        let calls = CALLS.iter().filter(|call| **call != "seen");
        let refusals = calls.flat_map(|call| ERRNOS.map(|errno| Some((*call, errno))));
        for (refuses, privileged) in
            refusals.chain([None]).flat_map(|refuses| [(refuses, true), (refuses, false)])
        {
            let ran = |origin| {
                let fake = Fake { refuses, ..Fake::new(0o600) };
                let settled = run_from(&fake, &node, &wanted, origin, privileged);
                (settled.refused, settled.skipped, fake.seen, fake.has)
            };
            let looked = ran(Origin::MadeBare { like: None });
            for like in likes {
                assert_eq!(
                    ran(Origin::MadeBare { like: Some(like) }),
                    looked,
                    "{refuses:?} {like:?}"
                );
            }
        }
        let fake = Fake::new(0o600);
        run_from(&fake, &node, &wanted, Origin::MadeBare { like: Some(made) }, true);
        assert_eq!(*fake.calls.borrow(), ["own", "seen", "set", "mode", "time", "seen"]);
    }

    #[test]
    fn k17_what_is_equal_is_not_set_again() {
        let mut node = node();
        (node.uid, node.gid, node.mode) = (0, 0, 0o444);
        let wanted = [attribute(b"user.a", b"1"), attribute(ACCESS_LIST, &list())];
        let fake = Fake::new(0o444).with(b"user.a", b"1").with(ACCESS_LIST, &list());
        fake.seen.borrow_mut().mtime = node.mtime;
        for privileged in [true, false] {
            assert_eq!(run_as(&fake, &node, &wanted, false, privileged).refused, []);
            let calls = fake.calls.borrow();
            assert!(
                calls.iter().all(|call| ["seen", "names", "value"].contains(call)),
                "{calls:?}"
            );
        }
    }

    #[test]
    fn k08_what_belongs_to_another_is_counted_and_a_file_that_is_wider_is_told() {
        let mut node = node();
        node.mode = 0o640;
        let refused = |mode, errno| {
            let mut fake = Fake::new(mode);
            fake.seen.borrow_mut().uid = 4_242;
            fake.seen.borrow_mut().mtime = node.mtime;
            fake.refuses = Some(("mode", errno));
            let settled = run_as(&fake, &node, &[], false, false);
            (settled.refused.len(), settled.skipped.belongs_to_another)
        };
        assert_eq!(refused(0o660, Errno::PERM), (0, 1));
        assert_eq!(
            refused(0o666, Errno::PERM),
            (1, 0),
            "others may write what they could not read"
        );
        assert_eq!(refused(0o660, Errno::IO), (1, 0), "that was not for lack of rights");
    }

    /// A volume hands its group on to those who are not in it: the kernel takes the bit with every change of a mode.
    #[test]
    fn k08_a_group_bit_that_cannot_stay_is_counted() {
        let mut node = node();
        let tree = crate::digest::BlobId([0; 16]);
        (node.kind, node.mode) = (NodeKind::Directory { tree }, 0o755);
        let run = |node: &Node, has, privileged| {
            let fake = Fake { takes_group_bit: true, ..Fake::new(has) };
            fake.seen.borrow_mut().kind = FileType::Directory;
            let settled = run_as(&fake, node, &[], true, privileged);
            (fake.rights(), settled.refused.len(), settled.skipped.setuid)
        };
        assert_eq!(run(&node, 0o2755, false), (0o2755, 0, 0), "nothing else differs");
        assert_eq!(run(&node, 0o2700, false), (0o755, 0, 1));
        (node.uid, node.gid, node.mode) = (ME, 0, 0o2755);
        assert_eq!(run(&node, 0o700, true), (0o755, 1, 0), "what was asked for is told");
    }

    #[test]
    fn labels_of_the_targets_policy_stay() {
        let mut node = node();
        (node.uid, node.gid, node.mode) = (0, 0, 0o600);
        let kept = [&b"security.selinux"[..], b"system.nfs4_acl", b"btrfs.compression"];
        let fake = kept.iter().fold(Fake::new(0o600), |fake, name| fake.with(name, b"x"));
        assert_eq!(run(&fake, &node, &[], true).refused, []);
        assert_eq!(fake.has.borrow().len(), kept.len());
    }
}
