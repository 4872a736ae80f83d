//! Compression of stored texts.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// Compresses a text.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text.as_bytes())
        .expect("writing to a vector does not fail");
    encoder.finish().expect("writing to a vector does not fail")
}

/// The decompressed bytes, or the first `max_bytes` and one more if there are more.
///
/// # Errors
/// If it is not a gzip.
pub fn gunzip(gzip: &[u8], max_bytes: usize) -> io::Result<Vec<u8>> {
    // The last four bytes of a gzip are the length of its content.
    let claimed = u32::from_le_bytes(gzip.last_chunk().copied().unwrap_or_default());
    let claimed = usize::try_from(claimed).unwrap_or(usize::MAX);
    let mut text = Vec::with_capacity(claimed.min(max_bytes) + 1);
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    GzDecoder::new(gzip)
        .take(limit.saturating_add(1))
        .read_to_end(&mut text)?;
    Ok(text)
}
