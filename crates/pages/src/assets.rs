//! The files of the pages: a stylesheet, a script and an icon.
//!
//! The path of each contains a hash of its content, so that a browser may keep it for ever.

/// A file that the portal serves to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its path, which changes with its content.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// The header `cache-control` of these files.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// Declares an asset: a file of the folder `assets`, under a path with its hash.
macro_rules! asset {
    ($file:literal, $name:literal, $extension:literal, $content_type:literal) => {{
        const BYTES: &[u8] = include_bytes!(concat!("../assets/", $file));
        const HASH: [u8; 16] = hash(BYTES);
        const PARTS: [&[u8]; 5] = [b"/assets/", $name, b".", &HASH, $extension];
        const PATH: [u8; length(PARTS)] = joined(PARTS);
        Asset {
            path: text(&PATH),
            content_type: $content_type,
            bytes: BYTES,
        }
    }};
}

/// The stylesheet.
pub const STYLE: Asset = asset!("portal.css", b"portal", b".css", "text/css; charset=utf-8");
/// The script.
pub const SCRIPT: Asset = asset!(
    "portal.js",
    b"portal",
    b".js",
    "text/javascript; charset=utf-8"
);
/// The icon.
pub const ICON: Asset = asset!("icon.svg", b"icon", b".svg", "image/svg+xml");

/// Every file.
pub const ASSETS: &[Asset] = &[STYLE, SCRIPT, ICON];

/// Finds the file with a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// FNV-1a, as hexadecimal digits. It tells versions of a file apart, and protects nothing.
const fn hash(bytes: &[u8]) -> [u8; 16] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut index = 0;
    while index < bytes.len() {
        hash ^= bytes[index] as u64;
        hash = hash.wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    let mut digits = [0; 16];
    let mut digit = 0;
    while digit < digits.len() {
        digits[digit] = b"0123456789abcdef"[(hash >> (60 - 4 * digit) & 15) as usize];
        digit += 1;
    }
    digits
}

const fn length(parts: [&[u8]; 5]) -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < parts.len() {
        sum += parts[index].len();
        index += 1;
    }
    sum
}

const fn joined<const LENGTH: usize>(parts: [&[u8]; 5]) -> [u8; LENGTH] {
    let mut all = [0; LENGTH];
    let (mut end, mut part) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            all[end] = parts[part][index];
            end += 1;
            index += 1;
        }
        part += 1;
    }
    all
}

const fn text(bytes: &'static [u8]) -> &'static str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("the parts are ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_hash_of_the_content() {
        assert_eq!(&hash(b""), b"cbf29ce484222325");
        assert_eq!(&hash(b"foobar"), b"85944171f73967e8");
        for asset in ASSETS {
            let digits = hash(asset.bytes);
            let digits = str::from_utf8(&digits).unwrap();
            assert!(asset.path.contains(digits), "{}", asset.path);
            assert_eq!(find(asset.path), Some(asset));
            assert!(!asset.bytes.is_empty());
        }
        assert_eq!(find("/assets/portal.css"), None);
    }

    #[test]
    fn the_script_needs_no_exception_from_the_policy() {
        let script = str::from_utf8(SCRIPT.bytes).unwrap();
        for word in [
            "eval(",
            "Function(",
            "innerHTML",
            "outerHTML",
            ".style",
            "document.write",
            "http://",
            "https://",
            "javascript:",
        ] {
            assert!(!script.contains(word), "{word}");
        }
        let style = str::from_utf8(STYLE.bytes).unwrap();
        for word in ["@import", "url(", "@font-face", "http:", "https:"] {
            assert!(!style.contains(word), "{word}");
        }
    }
}
