//! The status of a response whose head the HTTP client refuses.

use std::str;

use hyper::StatusCode;

/// Returns the status of a complete head. It accepts whatever curl or Node.js accepts.
///
/// The status line decides the attempt, so a later invalid line must not undo it. Returns
/// `None` if the status line is invalid, if the head is incomplete, or if the body's length is
/// invalid or given twice with different values: then the peer may have meant another message.
pub(crate) fn status_of(received: &[u8]) -> Option<StatusCode> {
    let mut rest = received;
    loop {
        let (lines, body) = split_head(rest)?;
        let (status_line, headers) = lines.split_first()?;
        let status = status_in(status_line)?;
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return has_valid_length(headers).then_some(status);
        }
        rest = body;
    }
}

/// Splits off the lines of a head, without empty lines before it, from the bytes after its
/// empty line.
fn split_head(mut rest: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut lines = Vec::new();
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = rest[..end].trim_ascii_end();
        rest = &rest[end + 1..];
        match (line.is_empty(), lines.is_empty()) {
            (true, false) => return Some((lines, rest)),
            (true, true) => {}
            (false, _) => lines.push(line),
        }
    }
}

/// Parses `HTTP/1.x` or `HTTP/2.0` in either case, white space, and exactly three digits.
fn status_in(line: &[u8]) -> Option<StatusCode> {
    let (protocol, rest) = line.split_at_checked(8)?;
    let is_known = matches!(
        protocol.to_ascii_uppercase().as_slice(),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] | b"HTTP/2.0"
    );
    let (digits, reason) = rest.trim_ascii_start().split_at_checked(3)?;
    let is_status = is_known
        && rest.first().is_some_and(u8::is_ascii_whitespace)
        && !reason.first().is_some_and(u8::is_ascii_digit);
    is_status
        .then(|| StatusCode::from_bytes(digits).ok())
        .flatten()
}

/// Returns true if all given lengths are the same valid number.
fn has_valid_length(headers: &[&[u8]]) -> bool {
    let lengths = headers.iter().filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        name.trim_ascii()
            .eq_ignore_ascii_case(b"content-length")
            .then_some(value)
    });
    let mut numbers = lengths
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(|number| {
            let digits = str::from_utf8(number.trim_ascii()).ok()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse::<u64>().ok()).flatten()
        });
    match numbers.next() {
        None => true,
        Some(first) => first.is_some() && numbers.all(|number| number == first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> Option<u16> {
        status_of(head.as_bytes()).map(|status| status.as_u16())
    }

    #[test]
    fn a_status_line_with_a_complete_head_is_read() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "http/1.0  200\n\n",
            "HTTP/1.7 200OK\r\nx: \0\r\r\n\r\nbody",
            "\r\n\nHTTP/2.0\t200 O\x01K\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length : 2, 02\r\n\r\n",
        ] {
            assert_eq!(status(head), Some(200), "{head:?}");
        }
        assert_eq!(status("HTTP/1.1 101 Switching\r\n\r\n"), Some(101));
    }

    #[test]
    fn anything_else_is_not() {
        for head in [
            "",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 OK\r\nx: y\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1200 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/3.0 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            " HTTP/1.1 200 OK\r\n\r\n",
            "x\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        ] {
            assert_eq!(status(head), None, "{head:?}");
        }
    }
}
