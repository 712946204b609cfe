//! What clients and servers say in a run: messages of every kind, each request with a nonce of its own that its
//! answer has to bring back.

use bytes::Bytes;
use orch_core::rpc::{Envelope, Sender};
use orch_core::{Fault, Limits};

/// Methods with their parameters, of both eras; `@` stands for the nonce.
const REQUESTS: [(&str, &str); 18] = [
    (
        "initialize",
        r#""protocolVersion":"2025-11-25","capabilities":{"sampling":{},"elicitation":{},"roots":{}},"clientInfo":{"name":"c"}"#,
    ),
    ("tools/call", r#""name":"echo","arguments":{"nonce":"@"}"#),
    ("tools/call", r#""name":"alpha__echo","arguments":{"nonce":"@"}"#),
    ("tools/call", r#""name":"beta.slow","arguments":{"nonce":"@"}"#),
    ("tools/call", r#""name":"list_servers","arguments":{}"#),
    ("tools/call", r#""name":"nowhere""#),
    ("tools/list", ""),
    ("tools/list", r#""cursor":"AAAA""#),
    ("prompts/get", r#""name":"greet","arguments":{"nonce":"@"}"#),
    ("resources/list", ""),
    ("resources/read", r#""uri":"file:///a""#),
    ("completion/complete", r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"nonce":"@"}"#),
    ("logging/setLevel", r#""level":"warning""#),
    ("ping", ""),
    ("resources/subscribe", r#""uri":"file:///a""#),
    ("server/discover", ""),
    ("subscriptions/listen", r#""notifications":{"toolsListChanged":true}"#),
    ("own/method", r#""nonce":"@""#),
];

const IDS: [&str; 4] = ["1", "2", "\"1\"", "\"a b\""];

/// What the server's answer to a request may hold, by method.
const RESULTS: [(&str, &str); 6] = [
    (
        "initialize",
        r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"s"}}"#,
    ),
    (
        "tools/list",
        r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}},{"name":"new","inputSchema":{"type":"object"}}]}"#,
    ),
    ("prompts/list", r#"{"prompts":[{"name":"greet"}],"nextCursor":"more"}"#),
    ("resources/list", r#"{"resources":[]}"#),
    ("resources/templates/list", r#"{"resourceTemplates":[{"uriTemplate":"x:{y}","name":"x"}]}"#),
    ("resources/read", r#"{"contents":[],"_meta":{}}"#),
];

/// A message of a client.
pub(super) struct Said {
    pub(super) text: String,
    /// Of a request: the raw JSON of its id.
    pub(super) id: Option<&'static str>,
    pub(super) method: &'static str,
    pub(super) name: Option<&'static str>,
}

/// A request; of the stateless era with `modern`.
pub(super) fn request(kind: usize, id: usize, modern: bool, nonce: &str) -> Option<Said> {
    let (method, params) = *REQUESTS.get(kind)?;
    let id = *IDS.get(id)?;
    let comma = if params.is_empty() { "" } else { "," };
    let era = if modern {
        r#","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}}"#
    } else {
        ""
    };
    let params = params.replace('@', nonce);
    // Clients may send line ends between tokens; a server never sees them.
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{comma}
"_meta":{{"progressToken":"{nonce}"{era}}}}}}}"#
    );
    let named = |text: &'static str| text.split('"').nth(3);
    let name = REQUESTS.get(kind).and_then(|(_, params)| named(params));
    Some(Said { text, id: Some(id), method, name })
}

/// A notification of a client, or its answer to a question of a server.
pub(super) fn remark(kind: usize, id: usize, question: Option<&str>) -> Said {
    let id = IDS.get(id).copied().unwrap_or("1");
    let question = question.unwrap_or(id);
    let (method, text) = match kind {
        0 => (
            "notifications/initialized",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        ),
        1 => (
            "notifications/cancelled",
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
            ),
        ),
        2 => (
            "notifications/roots/list_changed",
            r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#.to_owned(),
        ),
        _ => ("", format!(r#"{{"jsonrpc":"2.0","id":{question},"result":{{}}}}"#)),
    };
    Said { text, id: None, method, name: None }
}

/// A message of a server: about the request `id` for `method`, which had this nonce.
pub(super) fn reply(kind: usize, id: u64, method: &str, nonce: &str) -> String {
    let result = RESULTS.iter().find(|(name, _)| *name == method).map(|(_, result)| (*result).to_owned());
    let result = result.unwrap_or_else(|| format!(r#"{{"content":[{{"type":"text","text":"{nonce}"}}]}}"#));
    match kind {
        0 => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32002,"message":"{nonce}"}}}}"#),
        1 => format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
        ),
        2 => r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"x"}}"#
            .to_owned(),
        3 => r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned(),
        4 => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"sampling/createMessage","params":{{}}}}"#),
        5 => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
        6 => "no message".to_owned(),
        _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
    }
}

pub(super) fn parse(text: &str, sender: Sender, limits: &Limits) -> Result<Envelope, Fault> {
    Envelope::parse(Bytes::copy_from_slice(text.as_bytes()), sender, limits)
}
