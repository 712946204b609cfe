//! What clients say.

use bytes::Bytes;

/// A call with a text of so many bytes: arguments as most tools have them.
pub(crate) fn call(size: usize) -> Bytes {
    let text = "x".repeat(size);
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}"}},"_meta":{{"progressToken":7}}}}}}"#
    );
    call.into()
}

/// A call with as many bytes of small values: the work that a scanner does for each is what counts here.
pub(crate) fn dense_call(size: usize) -> Bytes {
    let rows = vec![r#"{"id":1,"ok":true,"tags":["a","b"],"score":1.5}"#; size / 48 + 1].join(",");
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"rows":[{rows}]}}}}}}"#
    );
    call.into()
}
