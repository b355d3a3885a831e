//! File systems of our own, unmounted when they go out of scope.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The least that XFS takes is 300 MiB; the files are sparse.
const KIND_BYTES: u64 = 320 << 20;

/// A mounted file system.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
    /// A loop device that was made for it.
    device: Option<String>,
}

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Kind {
    Ext4,
    Xfs,
    Btrfs,
    Vfat,
    /// By FUSE.
    Exfat,
    /// By FUSE.
    Ntfs,
    Tmpfs,
    /// Over directories beside it.
    Overlay,
}

impl Kind {
    /// How one is made in a file: a program and its options.
    const fn maker(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Ext4 => Some(("mkfs.ext4", &["-q"])),
            Self::Xfs => Some(("mkfs.xfs", &["-q"])),
            Self::Btrfs => Some(("mkfs.btrfs", &["-q"])),
            Self::Vfat => Some(("mkfs.vfat", &[])),
            Self::Exfat => Some(("mkfs.exfat", &[])),
            Self::Ntfs => Some(("mkfs.ntfs", &["-F", "-Q", "-q"])),
            Self::Tmpfs | Self::Overlay => None,
        }
    }
}

impl Mounted {
    /// An ext4 in a file of this size, mounted at `at`.
    ///
    /// # Errors
    /// What creating, formatting or mounting answers.
    pub fn new_ext4(image: &Path, bytes: u64, at: &Path) -> io::Result<Self> {
        File::create(image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(image))?;
        Self::image(image, at)
    }

    /// The file system in a file, mounted at `at`; its journal is replayed by the kernel.
    ///
    /// # Errors
    /// What mounting answers.
    pub fn image(image: &Path, at: &Path) -> io::Result<Self> {
        fs::create_dir_all(at)?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at))?;
        Ok(Self { at: at.to_owned(), device: None })
    }

    /// What a power cut at this moment leaves of the mounted file system in `image`: its file is copied
    /// to `copy` and mounted at `at`. What the kernel holds in memory only is not in it.
    ///
    /// # Errors
    /// What copying or mounting answers.
    pub fn after_power_cut(image: &Path, copy: &Path, at: &Path) -> io::Result<Self> {
        fs::copy(image, copy)?;
        Self::image(copy, at)
    }

    /// A tmpfs of this size, mounted at `at`.
    ///
    /// # Errors
    /// What mounting answers.
    pub fn new_tmpfs(bytes: u64, at: &Path) -> io::Result<Self> {
        fs::create_dir_all(at)?;
        let size = format!("size={bytes}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at))?;
        Ok(Self { at: at.to_owned(), device: None })
    }

    /// A file system of that kind with some hundred megabytes, in files of `dir`.
    ///
    /// # Errors
    /// What creating, formatting or mounting answers: a program that is not installed, or a kernel without it.
    pub fn of_kind(kind: Kind, dir: &Path) -> io::Result<Self> {
        let (image, at) = (dir.join("image"), dir.join("mounted"));
        fs::create_dir_all(&at)?;
        if let Some((maker, options)) = kind.maker() {
            File::create(&image)?.set_len(KIND_BYTES)?;
            run(Command::new(maker).args(options).arg(&image))?;
        }
        let mut device = None;
        match kind {
            Kind::Ext4 | Kind::Xfs | Kind::Btrfs | Kind::Vfat => return Self::image(&image, &at),
            Kind::Tmpfs => return Self::new_tmpfs(KIND_BYTES, &at),
            Kind::Overlay => {
                let [lower, upper, work] = ["lower", "upper", "work"].map(|name| dir.join(name));
                for dir in [&lower, &upper, &work] {
                    fs::create_dir_all(dir)?;
                }
                let (lower, upper, work) = (lower.display(), upper.display(), work.display());
                let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
                let over = ["-t", "overlay", "-o", &options, "overlay"];
                run(Command::new("mount").args(over).arg(&at))?;
            }
            Kind::Ntfs => run(Command::new("ntfs-3g").arg(&image).arg(&at))?,
            Kind::Exfat => {
                let found = Command::new("losetup").args(["-f", "--show"]).arg(&image).output()?;
                let name = String::from_utf8_lossy(&found.stdout).trim().to_owned();
                let mounted = run(Command::new("mount.exfat-fuse").arg(&name).arg(&at));
                device = Some(name);
                if let Err(error) = mounted {
                    detach(device.as_deref());
                    return Err(error);
                }
            }
        }
        Ok(Self { at, device })
    }

    /// What somebody else has mounted at `at`.
    #[must_use]
    pub fn adopted(at: &Path) -> Self {
        Self { at: at.to_owned(), device: None }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The test's own result counts; a mount that stays is said and is visible.
        if let Err(cause) = run(Command::new("umount").arg(&self.at)) {
            eprintln!("{} stays mounted: {cause}", self.at.display());
        }
        detach(self.device.as_deref());
    }
}

fn detach(device: Option<&str>) {
    if let Some(device) = device
        && let Err(cause) = run(Command::new("losetup").args(["-d", device]))
    {
        eprintln!("{device} stays attached: {cause}");
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {}: {said}", output.status)))
}
