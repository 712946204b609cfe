//! One message, posted, and whatever comes of it.
//!
//! Each request that is asked gets exactly one answer: the server's, or an error that says what is known of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use orch_core::rpc::{Envelope, Members, Message as Rpc, Sender, number_of, replied_id, write};
use tokio::time::timeout;

use crate::client::Unanswered;
use crate::door::Shut;
use crate::follow;
use crate::frames::{self, Cut, Events};
use crate::head::{Media, media, words};
use crate::message::{Message, Request};
use crate::wires::Wires;

/// What the end of a task means for its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing.
    Done,
    /// The link's one stream has ended: words for people.
    Lost(String),
    /// A message of the link's own stream was over the bound.
    TooLong,
}

/// Posts a request and hands on its answer.
pub(crate) async fn ask(wires: Arc<Wires>, request: Request, message: Message) -> Ending {
    let in_session = !request.stateless && !request.opens && wires.has_session();
    let response = match wires.post(message).await {
        Ok(response) => response,
        Err(why) => {
            wires.outlet.unanswered(&request.id, why);
            return Ending::Done;
        }
    };
    if !response.status().is_success() {
        return on_refusal(&wires, &request, in_session, response).await;
    }
    if request.opens {
        wires.session.on_head(response.headers());
    }
    match media(&response) {
        _ if wires.one_stream => frames::pass_over(response.into_body()).await,
        Media::Events => {
            follow::answer(&wires, &request, Events::new(response.into_body(), wires.limit)).await
        }
        Media::Json => on_json(&wires, &request, response.into_body()).await,
        Media::None | Media::Other => {
            wires.outlet.unanswered(&request.id, Unanswered::Unknown(words(wires.to(), &response)));
            Ending::Done
        }
    }
}

/// Posts a message that wants no answer. What the server says nevertheless is handed on.
pub(crate) async fn tell(wires: Arc<Wires>, message: Message) -> Ending {
    let in_session = wires.has_session();
    let told = async {
        let response = wires.post(message).await.map_err(|why| why.words().to_owned())?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && in_session {
            wires.outlet.expired(None);
            return Ok(Ending::Done);
        }
        if !status.is_success() {
            return Err(words(wires.to(), &response));
        }
        let cut = match media(&response) {
            _ if wires.one_stream => return Ok(frames::pass_over(response.into_body()).await),
            Media::Json => match frames::whole(response.into_body(), wires.limit).await {
                Ok(body) => {
                    wires.outlet.received(None, frames::messages(&body, &wires.outlet.limits)).await;
                    Cut::Ended
                }
                Err(cut) => cut,
            },
            Media::Events => follow::all(&wires, response.into_body()).await,
            Media::None | Media::Other => return Ok(frames::pass_over(response.into_body()).await),
        };
        if cut == Cut::TooLong {
            let line = format!("{} answered a notification with more than limit message_bytes", wires.to());
            wires.outlet.logged(line);
        }
        Ok(Ending::Done)
    };
    match timeout(wires.outlet.limits.remote_notice, told).await {
        Ok(Ok(ending)) => ending,
        Ok(Err(words)) => {
            wires.outlet.logged(format!("a notification or an answer was not taken: {words}"));
            Ending::Done
        }
        Err(_late) => {
            let to = wires.to();
            let line = format!("{to} did not take a notification or an answer in time (limit remote_notice)");
            wires.outlet.logged(line);
            Ending::Done
        }
    }
}

async fn on_json(wires: &Wires, request: &Request, body: Incoming) -> Ending {
    let lost = match frames::whole(body, wires.limit).await {
        Ok(body) => {
            if hand_on(wires, request, frames::messages(&body, &wires.outlet.limits)).await {
                return Ending::Done;
            }
            format!("{} answered without the answer", wires.to())
        }
        Err(Cut::TooLong) => {
            wires.outlet.overlong(&request.id, wires.limit);
            return Ending::Done;
        }
        Err(Cut::Broken | Cut::Ended) => format!("{} closed the connection in its answer", wires.to()),
    };
    wires.outlet.unanswered(&request.id, Unanswered::Unknown(lost));
    Ending::Done
}

/// Hands messages on; whether the answer to the request is among them.
pub(crate) async fn hand_on(wires: &Wires, request: &Request, messages: Vec<Bytes>) -> bool {
    let answers = |message: &Bytes| {
        let Ok(read) = Envelope::parse(message.clone(), Sender::Upstream, &wires.outlet.limits) else {
            // What cannot be read is told by whoever reads it; nothing better follows.
            return replied_id(message).is_some_and(|id| same_id(id, &request.id));
        };
        let is_it = matches!(read.message(), Rpc::Response { id, .. } if same_id(id, &request.id));
        if is_it && request.opens {
            wires.session.on_answer(&read);
        }
        is_it
    };
    // Each is looked at: what the handshake says is known before anybody can act on it.
    let answered = messages.iter().filter(|message| answers(message)).count() > 0;
    wires.outlet.received(Some(&request.id), messages).await;
    answered
}

/// Whether a server means an id of ours, however it spells it.
fn same_id(its: &str, ours: &str) -> bool {
    its == ours || number_of(its).is_some_and(|its| Some(its) == number_of(ours))
}

async fn on_refusal(
    wires: &Wires,
    request: &Request,
    in_session: bool,
    response: Response<Incoming>,
) -> Ending {
    let status = response.status();
    let is_declined = !wires.one_stream && is_of_protocol(status);
    let shut = response.extensions().get().map(|Shut(words)| words.clone());
    let (why, kind) = (words(wires.to(), &response), media(&response));
    // A refusal of credentials tells nothing of MCP, whatever stands in its body.
    let speaks = !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && kind == Media::Json;
    // Many servers say this instead of 404.
    let is_bad = in_session && kind != Media::Events && may_mean_session(status);
    let body =
        if speaks || is_bad { frames::whole(response.into_body(), wires.limit).await.ok() } else { None };
    let is_gone = in_session && matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
        || is_bad && body.as_ref().is_some_and(|body| names_session(body));
    if let Some(words) = shut.filter(|_| !is_gone) {
        wires.outlet.shut(&request.id, words);
        return Ending::Done;
    }
    match body.filter(|_| is_gone || status != StatusCode::UNAUTHORIZED).and_then(|body| RpcError::of(&body))
    {
        Some(error) if is_gone => {
            wires.outlet.expired(Some(error.addressed_to(request)));
        }
        Some(error) if is_declined => wires.outlet.declined(&request.id, error.addressed_to(request)),
        Some(error) => wires.outlet.received(Some(&request.id), vec![error.addressed_to(request)]).await,
        None if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE => {
            wires.outlet.unanswered(&request.id, Unanswered::Unknown(why));
        }
        None if is_gone => {
            let refusal = wires.outlet.refusal(&request.id, status.as_u16(), why);
            wires.outlet.expired(Some(refusal));
        }
        None if is_declined => {
            let refusal = wires.outlet.refusal(&request.id, status.as_u16(), why);
            wires.outlet.declined(&request.id, refusal);
        }
        None => wires.outlet.refused(&request.id, status.as_u16(), why),
    }
    Ending::Done
}

/// Whether a status refuses what was said, not who says it, how much, or when.
fn is_of_protocol(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Whether servers refuse with this status what comes in a session that they do not know, if they say so.
pub(crate) fn may_mean_session(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Whether the body of a refusal, an error of JSON-RPC or plain words, is about the session: there is none, or it was not begun.
pub(crate) fn names_session(body: &[u8]) -> bool {
    let message = member(body, "error").and_then(|error| member(&error, "message"));
    let words = String::from_utf8_lossy(message.as_deref().unwrap_or(body)).to_ascii_lowercase();
    ["session", "not initialized", "expect initialize"].iter().any(|sign| words.contains(sign))
}

/// The `error` of a JSON-RPC error in the body of a refusal. Its id is not asked for: a server that refuses a message
/// early may not know it.
struct RpcError(Vec<u8>);

impl RpcError {
    fn of(body: &[u8]) -> Option<Self> {
        let error = member(body, "error")?;
        member(&error, "code")
            .is_some_and(|code| code.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9')))
            .then_some(Self(error))
    }

    /// The error as the answer to the request.
    fn addressed_to(&self, request: &Request) -> Bytes {
        write::one_line(write::raw_error(&request.id, &self.0)).into()
    }
}

/// A member of an object, raw.
fn member(object: &[u8], name: &str) -> Option<Vec<u8>> {
    let members = Members::read(object)?;
    let (_, value) = members.0.into_iter().find(|(found, _)| found == name)?;
    Some(value.get().as_bytes().to_vec())
}
