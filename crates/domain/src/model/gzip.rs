//! Compression of stored texts.

use std::cell::RefCell;
use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

/// The window of 32 KiB, the largest.
const WINDOW_BITS: u8 = 15;

thread_local! {
    /// A compressor needs 450 KB of memory, most of which must be zeroed before it is used. That
    /// takes longer than the compression of a short text, so each thread keeps its compressor.
    static COMPRESSOR: RefCell<Compress> =
        RefCell::new(Compress::new_gzip(Compression::default(), WINDOW_BITS));
}

/// Compresses a text.
pub fn gzip(text: &str) -> Vec<u8> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let mut gzip = Vec::with_capacity(text.len() / 2 + 64);
        loop {
            let read = usize::try_from(compressor.total_in()).unwrap_or(usize::MAX);
            let status = compressor
                .compress_vec(&text.as_bytes()[read..], &mut gzip, FlushCompress::Finish)
                .expect("no state of a compressor that was reset refuses bytes");
            if status == Status::StreamEnd {
                return gzip;
            }
            gzip.reserve(text.len() / 2 + 64);
        }
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_kept_compressor_forgets_the_text_before() {
        let first = gzip(&"a long text. ".repeat(10_000));
        let noise = (0..50_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string());
        let noise = noise.collect::<String>();
        for text in ["", "x", "a long text. ", &noise] {
            let compressed = gzip(text);
            assert_eq!(gunzip(&compressed, 1 << 20).unwrap(), text.as_bytes());
            assert_eq!(compressed, gzip(text));
        }
        assert_eq!(first, gzip(&"a long text. ".repeat(10_000)));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{0,300}", times in 1..200_usize) {
            let text = text.repeat(times);
            prop_assert_eq!(gunzip(&gzip(&text), 1 << 20).unwrap(), text.as_bytes());
        }
    }
}
