//! What a reader takes from a message, and what the hub takes from it.

use bytes::Bytes;
use orch_core::Limits;
use orch_core::rpc::{Body, Envelope, Field, Message};
use serde::Deserialize;

/// A member as a reader has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Value {
    /// It is not there.
    Absent,
    /// A number: as it is written, or as the reader writes it when it keeps no spelling.
    Number(String),
    /// Something else, or a string that is no text (lone surrogates).
    Other,
    /// A string, decoded.
    Text(String),
}

/// One message. Where it has no method, the members of `params` are not compared.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) method: Value,
    pub(crate) id: Value,
    /// `params.name`.
    pub(crate) name: Value,
    /// `params.uri`.
    pub(crate) uri: Value,
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]`.
    pub(crate) version: Value,
}

/// The messages of a body. `None` if the hub refuses any of it.
pub(crate) fn of_the_hub(text: &[u8], limits: &Limits) -> Option<Vec<Reading>> {
    let messages = match Body::parse(Bytes::copy_from_slice(text), limits).ok()? {
        Body::Message(message) => vec![message],
        Body::Batch(members) => members.into_iter().collect::<Result<Vec<_>, _>>().ok()?,
    };
    Some(messages.iter().map(of_message).collect())
}

fn of_message(message: &Envelope) -> Reading {
    let asks = !matches!(message.message(), Message::Response { .. });
    let value = |field| if asks { value(message, field) } else { Value::Absent };
    Reading {
        method: value(Field::Method),
        id: self::value(message, Field::Id),
        name: value(Field::Name),
        uri: value(Field::Uri),
        version: value(Field::MetaVersion),
    }
}

fn value(message: &Envelope, field: Field) -> Value {
    match message.raw_str(field) {
        None => Value::Absent,
        Some(raw) if raw.starts_with('"') => {
            message.text(field).map_or(Value::Other, |text| Value::Text(text.into_owned()))
        }
        Some(raw) if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            Value::Number(raw.to_owned())
        }
        Some(_) => Value::Other,
    }
}

/// What a reader sees otherwise than the hub, which has accepted the body.
pub(crate) fn difference(ours: &[Reading], theirs: Option<&[Reading]>) -> Option<String> {
    let Some(theirs) = theirs else { return Some("refused".to_owned()) };
    if ours.len() != theirs.len() {
        return Some(format!("{} messages are {}", ours.len(), theirs.len()));
    }
    let members: [fn(&Reading) -> &Value; 5] =
        [|it| &it.method, |it| &it.id, |it| &it.name, |it| &it.uri, |it| &it.version];
    let mut pairs =
        ours.iter().zip(theirs).flat_map(|(ours, theirs)| members.map(|of| (of(ours), of(theirs))));
    let (ours, theirs) = pairs.find(|(ours, theirs)| !same(ours, theirs))?;
    Some(format!("{ours:?} is {theirs:?}"))
}

fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        // A reader that keeps no spelling has the number next to the one that is written.
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs || ours.parse::<f64>().ok() == theirs.parse::<f64>().ok()
        }
        (ours, theirs) => ours == theirs,
    }
}
