//! Reading the attached JSON of a document back.
//!
//! Invariant: it reads what `file` writes, and answers with nothing for any
//! other file; what it unpacks is bounded.

/// The most that an attached statement may take when it is unpacked (bytes).
const JSON_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The JSON that is attached to a document that was written as PDF; `None`
/// where there is none, or where another program has rewritten the file.
pub fn attached(pdf: &[u8]) -> Option<Vec<u8>> {
    let object = find(pdf, b"/Type /EmbeddedFile")?;
    let begin = pdf[..object].windows(4).rposition(|bytes| bytes == b" obj")?;
    let length = begin + find(&pdf[begin..], b"/Length ")? + b"/Length ".len();
    let digits = pdf[length..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let count: usize = std::str::from_utf8(&pdf[length..length + digits]).ok()?.parse().ok()?;
    let stream = object + find(&pdf[object..], b"stream\n")? + b"stream\n".len();
    let packed = pdf.get(stream..stream.checked_add(count)?)?;
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, JSON_BYTES_MAX).ok()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
