//! Headers of POSIX archives (IEEE 1003.1, "pax Interchange Format"). They are only written, never read:
//! what does not fit into the classic header of 512 bytes stands in an extended one before it.

use crate::tree::{Attribute, Device, Node, NodeKind, Time};

const BLOCK: usize = 512;

/// Two empty blocks end an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Longest name in a classic header.
const NAME_BYTES: usize = 100;

/// Largest numbers of the classic fields of 8 and 12 bytes, which are octal.
const OCTAL_7: u64 = 0o7_777_777;
const OCTAL_11: u64 = 0o77_777_777_777;

/// All that stands before the content of an entry.
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    /// Attributes whose names no record can hold.
    pub(super) skipped: u64,
}

/// The header of an entry; with `link` that of another name of a file that was written already.
pub(super) fn head(
    name: &[u8],
    node: &Node,
    attributes: &[Attribute],
    link: Option<&[u8]>,
) -> Head {
    let mut name = name.to_vec();
    if node.kind.tree().is_some() {
        name.push(b'/');
    }
    let (letter, size, target, device) = facts(node, link);
    let mut records = Records::default();
    records.text("path", &name);
    records.text("linkpath", target);
    if size > OCTAL_11 {
        records.add(b"size", size.to_string().as_bytes());
    }
    for (key, id) in [("uid", node.uid), ("gid", node.gid)] {
        if u64::from(id) > OCTAL_7 {
            records.add(key.as_bytes(), id.to_string().as_bytes());
        }
    }
    let seconds = u64::try_from(node.mtime.seconds).ok().filter(|seconds| *seconds <= OCTAL_11);
    if seconds.is_none() || node.mtime.nanos != 0 {
        records.add(b"mtime", decimal(node.mtime).as_bytes());
    }
    let mut skipped = 0;
    for attribute in attributes {
        if attribute.name.contains(&b'=') {
            skipped += 1;
            continue;
        }
        records.add(&[b"SCHILY.xattr.", &attribute.name[..]].concat(), &attribute.value);
    }
    let mut bytes = Vec::new();
    if !records.bytes.is_empty() {
        let len = records.bytes.len();
        let extended =
            Classic { name: b"PaxHeader", letter: b'x', size: len as u64, ..Classic::default() };
        extended.append(&mut bytes);
        bytes.extend_from_slice(&records.bytes);
        bytes.resize(bytes.len() + padding(len as u64), 0);
    }
    let classic = Classic {
        name: &name,
        mode: node.mode,
        uid: node.uid.into(),
        gid: node.gid.into(),
        size,
        mtime: seconds.unwrap_or(0),
        letter,
        target,
        device,
    };
    classic.append(&mut bytes);
    Head { bytes, skipped }
}

/// Bytes that fill the last block of a content.
pub(super) fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

type Facts<'a> = (u8, u64, &'a [u8], Device);

fn facts<'a>(node: &'a Node, link: Option<&'a [u8]>) -> Facts<'a> {
    let none = Device { major: 0, minor: 0 };
    if let Some(first) = link {
        return (b'1', 0, first, none);
    }
    match &node.kind {
        NodeKind::File { size, .. } => (b'0', *size, b"", none),
        NodeKind::Directory { .. } | NodeKind::Passage { .. } => (b'5', 0, b"", none),
        NodeKind::Symlink { target } => (b'2', 0, target, none),
        NodeKind::CharDevice(device) => (b'3', 0, b"", *device),
        NodeKind::BlockDevice(device) => (b'4', 0, b"", *device),
        NodeKind::Fifo | NodeKind::Socket => (b'6', 0, b"", none),
    }
}

/// Seconds with a fraction; before 1970 both are negative together.
fn decimal(time: Time) -> String {
    let nanos = time.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) =
        (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    format!("{sign}{seconds}.{rest:09}")
}

/// Records of an extended header.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
}

impl Records {
    /// A name, if it does not fit into the classic field or is not plain ASCII.
    fn text(&mut self, key: &str, value: &[u8]) {
        if value.len() <= NAME_BYTES && value.is_ascii() {
            return;
        }
        if std::str::from_utf8(value).is_err() {
            self.add(b"hdrcharset", b"BINARY");
        }
        self.add(key.as_bytes(), value);
    }

    /// `length key=value\n`, where the length counts its own digits.
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut len = rest + 1;
        while len != rest + len.to_string().len() {
            len = rest + len.to_string().len();
        }
        self.bytes.extend_from_slice(len.to_string().as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(key);
        self.bytes.push(b'=');
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'\n');
    }
}

/// The classic header. What does not fit is cut off or zero: the extended one has it.
struct Classic<'a> {
    name: &'a [u8],
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    letter: u8,
    target: &'a [u8],
    device: Device,
}

impl Default for Classic<'_> {
    fn default() -> Self {
        let device = Device { major: 0, minor: 0 };
        let (mode, letter) = (0o644, b'0');
        Self { name: b"", mode, uid: 0, gid: 0, size: 0, mtime: 0, letter, target: b"", device }
    }
}

impl Classic<'_> {
    fn append(&self, out: &mut Vec<u8>) {
        let mut block = [0; BLOCK];
        text(&mut block[0..100], self.name);
        octal(&mut block[100..108], self.mode.into());
        octal(&mut block[108..116], self.uid);
        octal(&mut block[116..124], self.gid);
        octal(&mut block[124..136], self.size);
        octal(&mut block[136..148], self.mtime);
        block[148..156].fill(b' ');
        block[156] = self.letter;
        text(&mut block[157..257], self.target);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block[329..337], self.device.major.into());
        octal(&mut block[337..345], self.device.minor.into());
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..155], sum);
        out.extend_from_slice(&block);
    }
}

fn text(field: &mut [u8], value: &[u8]) {
    let len = value.len().min(field.len());
    field[..len].copy_from_slice(&value[..len]);
}

/// Octal digits and a NUL; 0 for what has too many.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let fits = value >> (3 * digits) == 0;
    let text = format!("{:0digits$o}", if fits { value } else { 0 });
    field[..digits].copy_from_slice(text.as_bytes());
    field[digits] = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for len in [1, 90, 91, 92, 93, 990, 991, 992, 993] {
            let mut records = Records::default();
            records.add(b"k", &vec![b'x'; len]);
            let space = records.bytes.iter().position(|byte| *byte == b' ').unwrap();
            let said: usize =
                std::str::from_utf8(&records.bytes[..space]).unwrap().parse().unwrap();
            assert_eq!(said, records.bytes.len(), "{len}");
        }
    }

    #[test]
    fn times_before_1970_and_fractions() {
        let table =
            [(0, 1, "0.000000001"), (-5, 123_456_789, "-4.876543211"), (-1, 0, "-1.000000000")];
        for (seconds, nanos, text) in table {
            assert_eq!(decimal(Time { seconds, nanos }), text);
        }
    }

    #[test]
    fn what_fits_the_classic_header_has_no_other() {
        let at = Time { seconds: 1_700_000_000, nanos: 0 };
        let kind = NodeKind::Symlink { target: b"to".to_vec() };
        let plain = head(b"link", &Node::bare(b"link", kind, 0o777, at), &[], None);
        assert_eq!(plain.bytes.len(), BLOCK);
        assert_eq!(&plain.bytes[157..159], b"to");
        let sum: u32 = plain.bytes.iter().map(|byte| u32::from(*byte)).sum();
        let stored = std::str::from_utf8(&plain.bytes[148..154]).unwrap();
        let own: u32 = plain.bytes[148..156].iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(u32::from_str_radix(stored, 8).unwrap(), sum - own + 8 * u32::from(b' '));
    }

    #[test]
    fn numbers_that_do_not_fit_are_zero_and_extended() {
        let mut field = [0; 8];
        octal(&mut field, OCTAL_7);
        assert_eq!(&field, b"7777777\0");
        octal(&mut field, OCTAL_7 + 1);
        assert_eq!(&field, b"0000000\0");
        let kind = NodeKind::File { size: 1 << 33, content: crate::tree::Content::Lists(vec![]) };
        let node = Node { uid: u32::MAX, ..Node::bare(b"f", kind, 0o600, Time::default()) };
        let text = String::from_utf8_lossy(&head(b"f", &node, &[], None).bytes).into_owned();
        assert!(text.contains("size=8589934592\n") && text.contains("uid=4294967295\n"), "{text}");
    }
}
