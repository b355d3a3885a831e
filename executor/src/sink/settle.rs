//! Gives entries of a target their metadata, and counts what came of it.

use std::os::fd::BorrowedFd;

use super::Sink;
use super::entry::{Entry, Named, Opened};
use super::metadata::{Origin, Settled, Terms, settle};
use crate::digest::Kind;
use crate::error::{Error, Result};
use crate::report::Skipped;
use crate::tree::{Attribute, Attributes, Node};

impl Sink<'_> {
    /// Gives an open file or directory what the node says.
    pub(super) fn settle(&self, fd: BorrowedFd<'_>, node: &Node, origin: Origin) -> Settled {
        self.settle_entry(&Opened(fd), node, origin)
    }

    /// The same for an entry that cannot be opened: a link, a pipe, a device.
    ///
    /// # Errors
    /// When nothing has this name.
    pub(super) fn settle_at(
        &self,
        dir: BorrowedFd<'_>,
        node: &Node,
        origin: Origin,
    ) -> std::io::Result<Settled> {
        Ok(self.settle_entry(&Named::hold(dir, &node.name)?, node, origin))
    }

    fn settle_entry(&self, entry: &impl Entry, node: &Node, origin: Origin) -> Settled {
        let read = self.attributes(node);
        let wanted = read.as_ref().ok().map(Vec::as_slice);
        let (chosen, privileged) = (&self.chosen, self.options.privileged);
        let mut settled = settle(entry, &Terms { node, wanted, chosen, privileged, origin });
        settled.damaged = read.err();
        settled
    }

    /// Puts into the figures what was left out and what was refused.
    pub(super) fn note(&self, settled: &Settled, logical: impl FnOnce() -> Vec<u8>) {
        self.skipped(&settled.skipped);
        if settled.refused.is_empty() && settled.damaged.is_none() {
            return;
        }
        let logical = logical();
        if !settled.refused.is_empty() {
            self.tally.unset(&logical, settled);
        }
        if let Some(error) = &settled.damaged {
            self.tally
                .unset(&logical, &format_args!("it is there, without its attributes: {error}"));
        }
    }

    /// The attributes of a node, wherever they are kept.
    fn attributes(&self, node: &Node) -> Result<Vec<Attribute>> {
        match &node.attributes {
            Attributes::None => Ok(Vec::new()),
            Attributes::Inline(list) => Ok(list.clone()),
            Attributes::Blob(id) => {
                let bytes = self.reader.read(Kind::Data, id)?;
                Attributes::decode(&bytes)
                    .map_err(|error| Error::damaged(format!("attributes {id}"), error))
            }
        }
    }

    pub(super) fn skipped(&self, more: &Skipped) {
        if *more == Skipped::default() {
            return;
        }
        self.tally.add(|figures| {
            let all = &mut figures.skipped;
            all.owners += more.owners;
            all.setuid += more.setuid;
            all.capabilities += more.capabilities;
            all.devices += more.devices;
            all.sockets += more.sockets;
            all.system_attributes += more.system_attributes;
            all.unsupported_attributes += more.unsupported_attributes;
            all.belongs_to_another += more.belongs_to_another;
            all.coarse_times += more.coarse_times;
        });
    }
}
