//! `Last-Event-ID`: whatever is taken for a place in a stream is written in the one spelling in which it came.
//!
//! An input is the value of the header.

use orch_core::shard::Cursor;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(cursor) = Cursor::parse(text) {
        assert_eq!(cursor.to_string(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?} cannot be a header");
    }
}
