//! Writes a part of a snapshot beneath a directory.
//!
//! ```text
//!  plan (calling thread)                        workers (rayon pool)
//!  reads the tree, makes directories 0700,  ──► a window of 65,536 files or 256 MiB at a time:
//!  decides per entry: make, replace, keep       each block is opened once, its chunks are written,
//!                                               a file's metadata follows its last chunk
//!  then, when all files are there: hard links, symbolic links, special files, metadata of directories bottom-up
//! ```
//!
//! Nothing is ever written outside the root: directories are opened by descriptor, beneath the root and
//! through no link and across no mount; leaves are made exclusively, and a link that is in their way is replaced,
//! never followed. In directories that this run made, leaves get their final name at once; in others a temporary
//! name first. What the snapshot does not hold is removed last, when everything else is there.

mod attributes;
mod entry;
mod extra;
mod files;
mod filter;
mod full;
mod leaves;
mod leftovers;
mod metadata;
mod mounts;
mod names;
mod places;
mod rehearsal;
mod remove;
mod renamed;
mod settle;
mod spared;
mod tally;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::job::RestoreOptions;
use crate::keys::Keys;
use crate::repo::BlobReader;
use crate::report::{Progress, RestoreFigures, printable};
use crate::threads;
use crate::tree::{DEPTH_MAX, Leaves, Node, NodeKind};

pub(crate) use attributes::{ACCESS_LIST, DEFAULT_LIST, without_list};
pub(crate) use leftovers::{Company, TemporaryNames, hold, is_leftover};
pub use rehearsal::Action;
pub(crate) use spared::Spared;

use files::{FileJob, Files};
use filter::Filter;
use leaves::Link;
use mounts::explain;
use names::{Listings, Seen};
use places::{Dir, Verdict, verdict};
use tally::Tally;

/// What a restore works with.
pub(crate) struct Sink<'a> {
    reader: &'a BlobReader,
    keys: Arc<Keys>,
    options: &'a RestoreOptions,
    matcher: Filter,
    /// Attributes that this restore is about.
    chosen: attributes::Chosen,
    progress: &'a dyn Progress,
    repository: &'a str,
    pool: rayon::ThreadPool,
    tally: Tally,
    temporary: TemporaryNames,
    /// When the run began, in nanoseconds since 1970.
    at: i64,
    /// What deletion leaves alone; nothing without deletion.
    spared: Option<Spared>,
    /// The topmost directories of all targets, if there are several: one may lie in another.
    roots: Vec<(u64, u64)>,
    /// Where a name cannot be given without replacing another one, only one thread looks and gives.
    naming: Mutex<()>,
}

impl<'a> Sink<'a> {
    /// Compiles the filters and starts the workers.
    ///
    /// # Errors
    /// A glob that cannot be understood, threads that cannot be started.
    pub(crate) fn new(
        reader: &'a BlobReader,
        keys: Arc<Keys>,
        options: &'a RestoreOptions,
        workers: usize,
        progress: &'a dyn Progress,
        repository: &'a str,
    ) -> Result<Self> {
        let pool = threads::pool("restore", workers)?;
        Ok(Self {
            reader,
            keys,
            options,
            matcher: Filter::new(options)?,
            chosen: attributes::Chosen::new(
                &options.include_attributes,
                &options.exclude_attributes,
            )?,
            progress,
            repository,
            pool,
            tally: Tally::default(),
            temporary: TemporaryNames::new()?,
            at: 0,
            spared: None,
            roots: Vec::new(),
            naming: Mutex::new(()),
        })
    }

    /// Says when the run began, in nanoseconds since 1970.
    pub(crate) fn began(&mut self, at: i64) {
        self.at = at;
    }

    /// Says what deletion leaves alone.
    pub(crate) fn spares(&mut self, spared: Option<Spared>) {
        self.spared = spared;
    }

    /// Says how much is to come, for those who watch.
    pub(crate) fn expect(&mut self, files: u64, bytes: u64) {
        self.tally.expect(files, bytes);
    }

    /// What was counted.
    pub(crate) fn figures(self) -> RestoreFigures {
        let unmatched = self.matcher.unmatched();
        RestoreFigures { unmatched, ..self.tally.figures() }
    }

    /// Makes and opens the topmost directory of each target, before anything is written to one.
    pub(crate) fn open(&mut self, targets: &[&Path]) -> Vec<Result<Opened>> {
        let opened: Vec<_> = targets.iter().map(|to| self.open_one(to)).collect();
        if opened.iter().any(Result::is_err) {
            self.tally.lost();
        }
        if targets.len() > 1 {
            let seen = opened.iter().flatten().filter_map(|opened| opened.identity);
            self.roots = seen.collect();
        }
        opened
    }

    fn open_one(&self, to: &Path) -> Result<Opened> {
        let target =
            |source| Error::Target { path: printable(to.as_os_str().as_encoded_bytes()), source };
        let existed = to.is_dir();
        std::fs::create_dir_all(to).map_err(target)?;
        let (root, had) = entry::open_root(to, |to| self.open_root(to)).map_err(target)?;
        let identity = names::identity(root.fd()).ok();
        Ok(Opened { root: Arc::new(root), path: to.to_owned(), existed, had, identity })
    }

    fn open_root(&self, to: &Path) -> std::io::Result<Root> {
        match self.options.across_mounts {
            true => Root::open(to),
            false => Root::open_one_mount(to),
        }
    }

    /// Whether something is the topmost directory of a target of this restore.
    fn is_other_root(&self, seen: &Seen) -> bool {
        self.roots.contains(&seen.identity)
    }

    /// Writes the content of a directory (or one file) into a target. `logical` is the path of `node` in the
    /// snapshot.
    ///
    /// # Errors
    /// When the target cannot be written at all or is full, when somebody asked to stop, or when the topmost
    /// directory cannot be read. Whatever concerns one entry is in the figures.
    pub(crate) fn write(&self, node: &Node, logical: &[u8], to: Opened) -> Result<()> {
        let Opened { root, path, existed, had, .. } = to;
        let done = self.write_beneath(root.clone(), existed, node, logical).map_err(|error| {
            let top = if node.kind.tree().is_some() { logical } else { parent_of(logical) };
            in_target(error, top, &path)
        });
        if done.is_err() {
            // Another target may hold the only copy of what is missing in this one.
            self.tally.lost();
        }
        // What is no part of the snapshot keeps its mode, and so does what the run could not end.
        if let Some(mode) = had
            && (done.is_err() || !matches!(node.kind, NodeKind::Directory { .. }))
        {
            let path = printable(path.as_os_str().as_encoded_bytes());
            rustix::fs::fchmod(root.fd(), rustix::fs::Mode::from_raw_mode(mode))
                .map_err(|error| Error::Target { path, source: error.into() })?;
        }
        done
    }

    fn write_beneath(
        &self,
        root: Arc<Root>,
        existed: bool,
        node: &Node,
        logical: &[u8],
    ) -> Result<()> {
        let company = Company::of(&root, self.at);
        let mut run = Run {
            sink: self,
            root,
            company,
            listings: Listings::default(),
            dirs: Vec::new(),
            files: Files::new(self),
            leaders: HashMap::new(),
            links: Vec::new(),
            leaves: Vec::new(),
            begun: false,
        };
        if node.kind.tree().is_some() {
            let included = self.matcher.includes(logical, false);
            run.dirs.push(Dir::root(node.clone(), logical, existed, included));
            run.top();
            run.directories()?;
        } else {
            let above = parent_of(logical);
            let passage = NodeKind::Passage { tree: BlobId([0; 16]) };
            let bare = Node::bare(b"", passage, 0o755, crate::tree::Time::default());
            run.dirs.push(Dir::root(bare, above, existed, true));
            run.top();
            run.entry(0, node.clone(), true)?;
        }
        run.finish()
    }
}

/// The topmost directory of a target.
pub(crate) struct Opened {
    root: Arc<Root>,
    path: PathBuf,
    /// It was there before this restore.
    existed: bool,
    /// The mode that it had, where its owner could not have worked in it.
    had: Option<u32>,
    identity: Option<(u64, u64)>,
}

/// What the walk knows by its path in the snapshot, by the place in the target where it was to be written.
fn in_target(error: Error, top: &[u8], to: &Path) -> Error {
    match error {
        Error::Target { path, source } => {
            let top = printable(top);
            let rest = path.strip_prefix(top.trim_end_matches('/')).unwrap_or(&path);
            let to = printable(to.as_os_str().as_encoded_bytes());
            Error::Target { path: format!("{}{rest}", to.trim_end_matches('/')), source }
        }
        other => other,
    }
}

fn parent_of(logical: &[u8]) -> &[u8] {
    match logical.iter().rposition(|byte| *byte == b'/') {
        Some(at) if at > 0 => &logical[..at],
        _ => b"/",
    }
}

/// A directory whose entries are still to be planned.
struct Ahead {
    dir: usize,
    depth: usize,
    included: bool,
}

/// One target of a restore.
struct Run<'s, 'a> {
    sink: &'s Sink<'a>,
    root: Arc<Root>,
    company: Company,
    listings: Listings,
    dirs: Vec<Dir>,
    files: Files<'s, 'a>,
    /// The first file of each group of hard links.
    leaders: HashMap<u64, Arc<FileJob>>,
    links: Vec<Link>,
    leaves: Vec<(usize, Node)>,
    /// Whether any page could be read.
    begun: bool,
}

impl Run<'_, '_> {
    /// Looks through the topmost directory.
    fn top(&mut self) {
        if self.dirs[0].existed()
            && let Err(error) = self.clear_leftovers(0)
        {
            self.sink.tally.failed(&self.dirs[0].logical(), &error);
        }
    }

    /// Goes through the tree from the first directory on, parents before children.
    fn directories(&mut self) -> Result<()> {
        let included = self.dirs[0].included;
        let mut ahead = vec![Ahead { dir: 0, depth: 0, included }];
        while let Some(next) = ahead.pop() {
            self.sink.stop_if_asked()?;
            let first = ahead.len();
            let Some(tree) = self.dirs[next.dir].node.kind.tree() else { continue };
            match self.directory(&next, &tree, &mut ahead)? {
                Ok(()) => {}
                // Nothing at all could be restored.
                Err(error) if !self.begun => return Err(error),
                Err(error) => self.sink.tally.failed(&self.dirs[next.dir].logical(), &error),
            }
            ahead[first..].reverse();
        }
        Ok(())
    }

    /// Plans the entries of one directory, page by page. A page that cannot be read costs the
    /// names that it holds: the inner error is that of the last one, others are in the figures.
    fn directory(
        &mut self,
        at: &Ahead,
        tree: &BlobId,
        ahead: &mut Vec<Ahead>,
    ) -> Result<Result<()>> {
        let logical = self.dirs[at.dir].logical();
        let mut lost = None;
        for leaf in Leaves::new(self.sink.reader, tree).going_on() {
            if let Some(error) = lost.take() {
                self.sink.tally.failed(&self.dirs[at.dir].logical(), &error);
            }
            let nodes = match leaf {
                Ok(leaf) => leaf.nodes,
                Err(error) => {
                    lost = Some(error);
                    continue;
                }
            };
            self.begun = true;
            self.sink.stop_if_asked()?;
            for node in nodes {
                self.node(at, &logical, node, ahead)?;
            }
        }
        Ok(lost.map_or(Ok(()), Err))
    }

    fn node(
        &mut self,
        at: &Ahead,
        logical: &[u8],
        node: Node,
        ahead: &mut Vec<Ahead>,
    ) -> Result<()> {
        let path = join(logical, &node.name);
        if self.sink.matcher.excludes(&path) {
            return Ok(());
        }
        let included = self.sink.matcher.includes(&path, at.included);
        if node.kind.tree().is_none() {
            return self.entry(at.dir, node, included);
        }
        if at.depth + 1 >= DEPTH_MAX {
            self.sink.tally.failed(&path, &"lies too deep");
            return Ok(());
        }
        let child = Dir::beneath(at.dir, &self.dirs[at.dir], node, included);
        self.dirs.push(child);
        let dir = self.dirs.len() - 1;
        if !included || self.make(dir)? {
            ahead.push(Ahead { dir, depth: at.depth + 1, included });
        }
        Ok(())
    }

    /// Plans one entry that is no directory.
    fn entry(&mut self, dir: usize, node: Node, included: bool) -> Result<()> {
        if !included || !self.make(dir)? {
            return Ok(());
        }
        if !matches!(node.kind, NodeKind::File { .. }) {
            self.leaves.push((dir, node));
            return Ok(());
        }
        let place = self.dirs[dir].place(&self.root);
        if let Some(group) = node.link_group
            && let Some(leader) = self.leaders.get(&group)
            && leader.node.inode == node.inode
            && leader.node.kind == node.kind
        {
            let leader = leader.clone();
            self.links.push(Link { dir, name: node.name.clone(), leader });
            return Ok(());
        }
        let verdict = self.verdict(dir, &node)?;
        let group = node.link_group;
        let job = match verdict {
            Verdict::Fail(why) => {
                self.sink.tally.failed(&self.dirs[dir].trail.join(&node.name), &why);
                return Ok(());
            }
            verdict => FileJob::new(place, node, verdict, &self.sink.temporary),
        };
        if let Some(group) = group {
            self.leaders.insert(group, job.clone());
        }
        self.files.add(job)
    }

    /// What is to be done for an entry, given what is in its place.
    fn verdict(&mut self, dir: usize, node: &Node) -> Result<Verdict> {
        if !self.dirs[dir].existed() {
            return Ok(Verdict::Make);
        }
        let at = &self.dirs[dir];
        let tree = at.node.kind.tree();
        let known = match self.listings.of(&self.root, dir, &at.trail) {
            Ok(known) => known,
            Err(error) => return Ok(Verdict::Fail(explain(&error))),
        };
        match known.look(self.sink.reader, tree.as_ref(), &node.name) {
            Ok(seen) => verdict(self.sink, &self.root, &known.fd, node, seen.as_ref(), &at.trail),
            Err(error) => Ok(Verdict::Fail(explain(&error))),
        }
    }

    /// What was written is on its disk when a restore ends well. File systems that write later tell what went
    /// wrong only here, and not of which file.
    fn sync(&self) {
        if let Err(error) = crate::closing::sync_all_of(self.root.fd()) {
            let hint = "the target may have lost what was written: restore again with --verify";
            self.sink.tally.failed(&self.dirs[0].logical(), &format_args!("{hint}: {error}"));
        }
    }

    fn finish(mut self) -> Result<()> {
        self.files.finish()?;
        let links = std::mem::take(&mut self.links);
        for link in links {
            self.sink.stop_if_asked()?;
            self.link(&link)?;
        }
        // Those that the target does not link are written as files of their own.
        self.files.finish()?;
        let leaves = std::mem::take(&mut self.leaves);
        for (dir, node) in leaves {
            self.sink.stop_if_asked()?;
            self.leaf(dir, &node)?;
        }
        if self.sink.options.delete_extra {
            // Nothing goes before what takes its place is on the disk.
            self.sync();
            self.remove_extra()?;
        }
        self.tell_renamed();
        for dir in self.dirs.iter().rev() {
            self.directory_metadata(dir);
        }
        self.sync();
        Ok(())
    }
}

impl Sink<'_> {
    fn stop_if_asked(&self) -> Result<()> {
        if self.progress.cancelled() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}
