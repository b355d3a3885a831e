//! The sources of a job, and the directories that lead to them: where the walk begins.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Stat};

use super::batch::{From, Item, Message, Place, Spot, Stream};
use super::before::Going;
use super::walk::{PASSAGE_MODE, Waiting, Walk};
use crate::beneath::{Root, join};
use crate::digest::BlobId;
use crate::error::{Error, Result};
use crate::source::{Children, Found, Planned, SourceNumber, Trust, stat_entry};
use crate::trail::Trail;
use crate::tree::{Node, NodeKind, Time};

/// A directory that is a source, to see at the end whether it still is the same.
pub(super) struct SourceRoot {
    path: PathBuf,
    logical: Vec<u8>,
    key: (u64, u64),
}

/// Where something belongs in the snapshot.
#[derive(Clone, Copy)]
pub(super) struct Site<'n> {
    pub(super) name: &'n [u8],
    pub(super) logical: &'n [u8],
    /// None for the root.
    pub(super) at: Option<Spot>,
}

/// The same place in the parent snapshot.
#[derive(Clone, Copy)]
pub(super) struct Prior<'n> {
    pub(super) tree: Option<BlobId>,
    pub(super) node: Option<&'n Node>,
}

impl<'n> Prior<'n> {
    pub(super) fn of(node: Option<&'n Node>) -> Self {
        Self { tree: node.and_then(|node| node.kind.tree()), node }
    }
}

/// The directory that the walk is in.
#[derive(Clone, Copy)]
pub(super) struct Within<'n> {
    pub(super) place: &'n Arc<Place>,
    /// Device of its source.
    pub(super) device: u64,
    pub(super) depth: usize,
}

/// An error of a source, by the path of this machine.
pub(crate) fn unreadable(path: &Path, source: io::Error) -> Error {
    let path = crate::report::printable(path.as_os_str().as_bytes());
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::SourceMissing { path },
        _ => Error::SourceUnreadable { path, source },
    }
}

impl<'a> Walk<'a> {
    /// All sources, given the root of the parent.
    pub(super) fn everything(&mut self, previous: Option<BlobId>) -> Result<()> {
        let site = Site { name: b"", logical: b"/", at: None };
        self.planned(&self.shared.input.plan, site, Prior { tree: previous, node: None })?;
        self.drain(0)?;
        if !self.shared.stopped() {
            self.look_back();
        }
        Ok(())
    }

    /// One node of the plan.
    fn planned(&mut self, planned: &'a Planned, site: Site<'_>, prior: Prior<'_>) -> Result<()> {
        let stream = |from| From::Stream { from, logical: site.logical.to_vec() };
        match planned {
            Planned::Passage(children) => return self.passage(children, site, prior),
            Planned::Path(number, path, children) => {
                return match self.path(*number, path, children, site, prior) {
                    Ok(()) => Ok(()),
                    Err(error) => {
                        let error = unreadable(path, error);
                        self.lose_source(*number, error, Some(children), site, prior)
                    }
                };
            }
            Planned::Stdin(_) => self.unsized_item(site, stream(Stream::Stdin)),
            Planned::Command(_, command) => {
                self.unsized_item(site, stream(Stream::Command(command.clone())));
            }
            Planned::Document(_, content) => {
                self.shared.tally.bytes_found.add(content.len() as u64);
                self.unsized_item(site, From::Document(content.clone()));
            }
        }
        Ok(())
    }

    fn unsized_item(&mut self, site: Site<'_>, from: From) {
        let Some(at) = site.at else { return };
        self.shared.tally.files_found.add(1);
        self.shared.tally.files_new.add(1);
        let progress = self.shared.input.progress;
        if let (From::Stream { logical, .. }, true) = (&from, progress.names_files()) {
            progress.reads(logical, false);
        }
        self.batch.items.push(Item { at, name: site.name.to_vec(), from, link_group: None });
    }

    /// A directory that is nothing but the way to sources.
    fn passage(&mut self, children: &'a Children, site: Site<'_>, prior: Prior<'_>) -> Result<()> {
        let dir = self.number();
        let tree = BlobId([0; BlobId::LEN]);
        let node = Node::bare(site.name, NodeKind::Passage { tree }, PASSAGE_MODE, Time::default());
        let nobody = self.shared.tally.nobody();
        let node = Box::new(node);
        self.outbox.send(Message::Open { dir, source: nobody, parent: site.at, node });
        let mut going = Going::new(dir, self.before(prior.tree));
        for (name, child) in children {
            let at = going.spot(child.source().unwrap_or(nobody), self.ends_page(name));
            let before = Prior::of(going.before.find(name));
            let logical = join(site.logical, name);
            let waiting = self.waiting.len();
            self.planned(child, Site { name, logical: &logical, at: Some(at) }, before)?;
            self.count(&mut going, name, at);
            self.drain(waiting)?;
        }
        self.outbox.send(going.close());
        Ok(())
    }

    /// A source within the directory that the walk is in, or a directory that leads to one.
    pub(super) fn nested(
        &mut self,
        child: &'a Planned,
        within: Within<'_>,
        fd: BorrowedFd<'_>,
        name: &[u8],
        at: Spot,
        prior: Prior<'_>,
    ) -> Result<()> {
        let logical = within.place.trail.join(name);
        let site = Site { name, logical: &logical, at: Some(at) };
        let Planned::Passage(children) = child else {
            return self.planned(child, site, prior);
        };
        let is_left_out = self.shared.input.exclude.matches(&logical);
        match stat_entry(fd, name) {
            Ok(Some(stat)) if is_directory(&stat) => {
                let leads_to = Some((children, is_left_out));
                if self.subdirectory(at, within, name, &stat, prior.node, leads_to) {
                    return Ok(());
                }
            }
            // A name is either a link or a directory.
            Ok(Some(_)) => {
                let why = "is stored as a directory, since a source lies behind it";
                self.shared.tally.changed(&logical, why);
            }
            _ => {}
        }
        self.passage(children, site, prior)
    }

    /// A directory, file, device or pipe of this machine. Links in its path are followed, and so is itself: its
    /// owner wrote it.
    fn path(
        &mut self,
        number: SourceNumber,
        path: &Path,
        children: &'a Children,
        site: Site<'_>,
        prior: Prior<'_>,
    ) -> io::Result<()> {
        let stat = rustix::fs::stat(path)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {}
            kind if !children.is_empty() => {
                let what = format!("is a {}, and other sources lie in it", of_kind(kind));
                return Err(io::Error::other(what));
            }
            FileType::RegularFile => return self.single(path, &stat, site, prior),
            kind => return self.special_source(path, kind, site),
        }
        let root = Arc::new(Root::open(path)?);
        let stat = rustix::fs::fstat(root.fd())?;
        let key = (stat.st_dev, stat.st_ino);
        self.roots.push(SourceRoot { path: path.to_owned(), logical: site.logical.to_vec(), key });
        self.waiting.push(Waiting {
            source: number,
            root,
            trail: Trail::top(site.logical),
            name: site.name.to_vec(),
            parent: site.at,
            previous: prior.tree,
            device: stat.st_dev,
            depth: 0,
            nested: Some(children).filter(|children| !children.is_empty()),
            only_leads: false,
        });
        Ok(())
    }

    /// A source that is one file. It is stored under the name that the job gives it.
    fn single(
        &mut self,
        path: &Path,
        stat: &Stat,
        site: Site<'_>,
        prior: Prior<'_>,
    ) -> io::Result<()> {
        let root = || io::Error::other("a file cannot be the root of a snapshot");
        let at = site.at.ok_or_else(root)?;
        let trust = Trust::of_path(path, stat.st_dev);
        let logical = || site.logical.to_vec();
        let from = From::File { path: path.to_owned(), logical: logical(), trust };
        // The attributes of a file that may be behind a link are read where it is opened.
        let attributes = || Err::<Found, _>(io::Error::from(io::ErrorKind::Unsupported));
        self.regular(at, site.name, stat, prior.node, trust, logical, from, attributes)
            .map_err(io::Error::other)
    }

    /// A source that is a device or a pipe. Its number is in no backup what anybody wants of it.
    fn special_source(&mut self, path: &Path, kind: FileType, site: Site<'_>) -> io::Result<()> {
        let is_stream = !matches!(kind, FileType::Socket);
        if !is_stream || !self.shared.input.reading.read_special {
            let what = of_kind(kind);
            return Err(io::Error::other(match is_stream {
                true => format!(
                    "is a {what}: its content is read only where that is asked for (--read-special)"
                ),
                false => format!("is a {what}, which has no content"),
            }));
        }
        let from = Stream::Special(path.to_owned());
        self.unsized_item(site, From::Stream { from, logical: site.logical.to_vec() });
        Ok(())
    }

    /// A source of which nothing can be read. What lies in it of others is read all the same.
    pub(super) fn lose_source(
        &mut self,
        number: SourceNumber,
        error: Error,
        children: Option<&'a Children>,
        site: Site<'_>,
        prior: Prior<'_>,
    ) -> Result<()> {
        self.shared.tally.source_failed(number, site.logical, error);
        self.lose(children, site, prior)
    }

    /// A directory that cannot be read, with the sources that lie in it.
    pub(super) fn lose(
        &mut self,
        children: Option<&'a Children>,
        site: Site<'_>,
        prior: Prior<'_>,
    ) -> Result<()> {
        match (children.filter(|children| !children.is_empty()), site.at) {
            (Some(children), _) => self.passage(children, site, prior),
            (None, Some(at)) => {
                self.outbox.send(Message::Lost { at, group: None });
                Ok(())
            }
            // There is no other source.
            (None, None) => {
                Err(self.shared.tally.failure_of_all().unwrap_or(Error::Defect("nothing to read")))
            }
        }
    }

    /// Whether the directories that were read still are what their paths lead to.
    fn look_back(&self) {
        for root in &self.roots {
            match rustix::fs::stat(&root.path) {
                Ok(stat) if (stat.st_dev, stat.st_ino) == root.key => {}
                Ok(_) => {
                    let why = "something else took its place while it was read: what was there first was read";
                    self.shared.tally.changed(&root.logical, why);
                }
                Err(error) => {
                    let why = format!("was there at first, and not any more at the end: {error}");
                    self.shared.tally.unreadable(&root.logical, &why);
                }
            }
        }
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn of_kind(kind: FileType) -> &'static str {
    match kind {
        FileType::BlockDevice => "block device",
        FileType::CharacterDevice => "character device",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        FileType::RegularFile => "file",
        _ => "special file",
    }
}
