//! What is moved: the same bytes on every machine.

use std::fs;
use std::io;
use std::path::Path;

/// Words that prose is made of: they compress about as well as source code.
const WORDS: usize = 4_096;

/// A small generator (xorshift64*): variety, not secrecy.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Bytes that do not compress.
#[must_use]
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed.wrapping_mul(2).wrapping_add(1));
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        out.extend_from_slice(&numbers.next().to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Bytes that compress to about a fifth, like source code.
#[must_use]
pub fn prose(bytes: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed.wrapping_mul(2).wrapping_add(1));
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        // Small numbers are frequent, as frequent words are.
        let word = (numbers.next() % WORDS as u64) * (numbers.next() % WORDS as u64) / WORDS as u64;
        out.extend_from_slice(format!("{:x} ", word.wrapping_mul(2_654_435_761)).as_bytes());
    }
    out.truncate(bytes);
    out
}

/// Files of prose, a hundred in each directory, of up to twice the average size.
///
/// # Errors
/// What the file system answers.
pub fn make_tree(root: &Path, files: usize, average_bytes: usize) -> io::Result<()> {
    for number in 0..files {
        let dir = root.join(format!("d{:03}", number / 100));
        fs::create_dir_all(&dir)?;
        let bytes = 1 + number.wrapping_mul(2_654_435_761) % (2 * average_bytes);
        fs::write(dir.join(format!("f{number:05}")), prose(bytes, number as u64))?;
    }
    Ok(())
}
