//! Event streams: the answer to a request among other messages, and the streams that belong to no request.

use std::time::Duration;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Unanswered;
use crate::exchange::{Ending, hand_on, may_mean_session, names_session};
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
    /// It is said that the stream is refused.
    is_refused: bool,
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

/// Keeps the session's own stream open, as long as the server has one: one that refuses it at first has none, unless the
/// refusal may pass, and one that has had it is asked again, whatever it says. Where a stream does not go on from an event
/// of the one before, or opens when requests are out already, what was said until then is lost, which is told. `answered`
/// ends when it is known for the first time whether there is one, and is closed when nobody waits for that any more.
pub(crate) async fn session(wires: &Wires, answered: oneshot::Sender<()>) -> Ending {
    let (mut place, mut pause) = (Place::default(), Pause::new(&wires.outlet.limits));
    let (mut answered, mut was_there, mut may_miss) = (Some(answered), false, false);
    loop {
        let got = wires.get(place.cursor.as_deref()).await;
        may_miss |= answered.take().is_some_and(|answered| answered.is_closed());
        match got {
            Err(_unreached) => {}
            Ok(response) if response.status() == StatusCode::OK && media(&response) == Media::Events => {
                (was_there, place.is_refused) = (true, false);
                if may_miss && place.cursor.is_none() {
                    wires.outlet.missed();
                }
                if read_out(wires, response, &mut place, &mut pause).await == Some(Cut::TooLong) {
                    return Ending::TooLong;
                }
            }
            Ok(response) if was_there || is_passing(response.status()) => {
                if pause.failures() >= wires.outlet.limits.remote_resumes {
                    // It may be the event that makes its server fail each time.
                    place.cursor = None;
                }
                on_refused(wires, response, &mut place).await;
            }
            Ok(response) => {
                if response.status() != StatusCode::METHOD_NOT_ALLOWED {
                    let words = words(wires.to(), &response);
                    wires.outlet.logged(format!("there is no stream for its news: {words}"));
                }
                return Ending::Done;
            }
        }
        may_miss = true;
        sleep(pause.next(place.retry)).await;
    }
}

/// The session's own stream is refused, and will be asked for again. What is refused may be the event that it was to go on
/// from, which its server keeps no more.
async fn on_refused(wires: &Wires, response: Response<Incoming>, place: &mut Place) {
    let (status, words) = (response.status(), words(wires.to(), &response));
    let of_event = matches!(status, StatusCode::BAD_REQUEST | StatusCode::GONE | StatusCode::NOT_FOUND)
        && place.cursor.take().is_some();
    if is_session_gone(wires, response).await {
        wires.outlet.expired(None);
    } else if !of_event && !is_passing(status) && !place.is_refused {
        place.is_refused = true;
        wires.outlet.logged(format!("the stream for its news is asked for again, and refused: {words}"));
    }
}

/// Hands on what the session's own stream says, and notes where the next can go on. Returns why it ended.
async fn read_out(
    wires: &Wires,
    response: Response<Incoming>,
    place: &mut Place,
    pause: &mut Pause,
) -> Option<Cut> {
    let opened = Instant::now();
    let mut events = Events::new(response.into_body(), wires.limit);
    while let Ok(batch) = events.next().await {
        pause.reset();
        place.note(&events);
        wires.outlet.received(None, frames::of_events(&batch, &wires.outlet.limits)).await;
    }
    place.note(&events);
    pause.on_held(opened.elapsed());
    events.end()
}

/// Whether a refusal may pass by itself. A server that has not noticed yet that a stream is broken says 409 to the next.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::CONFLICT
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Whether a stream that was there is refused because the session is gone. Many servers say something else than 404.
async fn is_session_gone(wires: &Wires, response: Response<Incoming>) -> bool {
    if !wires.session.has_id() {
        return false;
    }
    match response.status() {
        StatusCode::NOT_FOUND => true,
        status if may_mean_session(status) && media(&response) != Media::Events => {
            let body = frames::whole(response.into_body(), wires.limit);
            let read = timeout(wires.outlet.limits.remote_notice, body).await;
            read.is_ok_and(|body| body.is_ok_and(|body| names_session(&body)))
        }
        _ => false,
    }
}
