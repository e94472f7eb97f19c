//! Reads files that may hold secrets.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// The first `max` bytes of a file. The buffer is made for the whole file, with a byte to spare for the read that finds
/// the end: one that grows leaves copies behind.
pub fn read(path: &Path, max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata().map_or(0, |meta| meta.len().min(max));
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
