//! Event streams: the answer to a request among other messages, and the streams that belong to no request.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::client::Unanswered;
use crate::exchange::{Ending, hand_on};
use crate::frames::{self, Cut, Events};
use crate::head::{Media, media, words};
use crate::message::Request;
use crate::pause::Pause;
use crate::wires::Wires;

/// Reads a stream to the answer of a request. A stream that breaks before is resumed where its server gave ids.
pub(crate) async fn answer(wires: &Wires, request: &Request, mut events: Events) -> Ending {
    let mut place = Place::default();
    loop {
        let cut = match read_on(wires, request, &mut events, &mut place).await {
            Ok(()) => return linger(wires, request, events).await,
            Err(Cut::TooLong) => {
                wires.outlet.overlong(&request.id, wires.limit);
                return Ending::Done;
            }
            Err(cut) => cut,
        };
        let again = match &place.cursor {
            Some(cursor) if !request.stateless => resume(wires, cursor, place.retry).await,
            Some(_) | None => None,
        };
        events = match again {
            Some(events) => events,
            None => {
                let how = if cut == Cut::Ended { "ended the stream" } else { "closed the connection" };
                let words = format!("{} {how} before the answer", wires.to());
                wires.outlet.unanswered(&request.id, Unanswered::Unknown(words));
                return Ending::Done;
            }
        };
    }
}

/// Where a stream can go on.
#[derive(Debug, Default)]
struct Place {
    cursor: Option<String>,
    retry: Option<Duration>,
}

impl Place {
    fn note(&mut self, events: &Events) {
        let parser = events.parser();
        if let Some(id) = parser.last_id() {
            self.cursor = Some(id.to_owned());
        }
        self.retry = parser.retry().or(self.retry);
    }
}

/// Reads until the answer has come.
async fn read_on(
    wires: &Wires,
    request: &Request,
    events: &mut Events,
    place: &mut Place,
) -> Result<(), Cut> {
    loop {
        let batch = events.next().await;
        place.note(events);
        if hand_on(wires, request, frames::of_events(&batch?, &wires.outlet.limits)).await {
            return Ok(());
        }
    }
}

/// Reads what comes after the answer, which should be nothing.
async fn linger(wires: &Wires, request: &Request, mut events: Events) -> Ending {
    let rest = async {
        loop {
            match events.next().await {
                Ok(batch) => {
                    wires
                        .outlet
                        .received(Some(&request.id), frames::of_events(&batch, &wires.outlet.limits))
                        .await;
                }
                Err(Cut::Broken | Cut::Ended | Cut::TooLong) => return Ending::Done,
            }
        }
    };
    timeout(wires.outlet.limits.remote_linger, rest).await.unwrap_or(Ending::Done)
}

/// The rest of a broken stream, if it can be had.
async fn resume(wires: &Wires, cursor: &str, retry: Option<Duration>) -> Option<Events> {
    let limits = &wires.outlet.limits;
    let mut pause = Pause::new(limits);
    while pause.failures() < limits.remote_resumes {
        sleep(pause.next(retry)).await;
        let Ok(response) = wires.get(Some(cursor)).await else { continue };
        match response.status() {
            StatusCode::OK if media(&response) == Media::Events => {
                return Some(Events::new(response.into_body(), wires.limit));
            }
            status if is_passing(status) => {}
            _ => break,
        }
    }
    None
}

/// Hands on everything of a stream that answers no request. Returns why it ended.
pub(crate) async fn all(wires: &Wires, body: Incoming) -> Cut {
    let mut events = Events::new(body, wires.limit);
    loop {
        match events.next().await {
            Ok(batch) => {
                wires.outlet.received(None, frames::of_events(&batch, &wires.outlet.limits)).await;
            }
            Err(cut) => return cut,
        }
    }
}

/// Keeps the session's own stream open, as long as the server has one. That it is not found means that the session is
/// gone, but for one that never was there: a server may say so for 405. Where a stream does not go on from an event of the one
/// before, what was said between them is lost, which is told. `answered` ends when it is known for the first time
/// whether there is one.
pub(crate) async fn session(wires: &Wires, answered: oneshot::Sender<()>) -> Ending {
    let (mut place, mut pause) = (Place::default(), Pause::new(&wires.outlet.limits));
    let (mut was_there, mut answered) = (false, Some(answered));
    let mut is_first = true;
    loop {
        let got = wires.get(place.cursor.as_deref()).await;
        drop(answered.take());
        match got {
            Err(_unreached) => {}
            Ok(response) => match response.status() {
                StatusCode::OK if media(&response) == Media::Events => {
                    was_there = true;
                    if !is_first && place.cursor.is_none() {
                        wires.outlet.missed();
                    }
                    let mut events = Events::new(response.into_body(), wires.limit);
                    while let Ok(batch) = events.next().await {
                        pause.reset();
                        place.note(&events);
                        wires.outlet.received(None, frames::of_events(&batch, &wires.outlet.limits)).await;
                    }
                    place.note(&events);
                    if events.end() == Some(Cut::TooLong) {
                        return Ending::TooLong;
                    }
                }
                StatusCode::METHOD_NOT_ALLOWED => return Ending::Done,
                StatusCode::NOT_FOUND if was_there && wires.session.has_id() => wires.outlet.expired(None),
                status if is_passing(status) => {}
                _ => {
                    wires
                        .outlet
                        .logged(format!("there is no stream for its news: {}", words(wires.to(), &response)));
                    return Ending::Done;
                }
            },
        }
        is_first = false;
        sleep(pause.next(place.retry)).await;
    }
}

/// Whether a refusal may pass by itself.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
