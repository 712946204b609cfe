//! A gateway that does what its script says and remembers what it was asked.

use bytes::Bytes;
use orch_core::ports::BoxFuture;
use orch_core::ports::gateway::{Admission, Event, EventStream, Gateway, Head, Reply, ReplyBody};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

type Admit = Box<dyn Fn(&Head) -> Option<Reply> + Send + Sync>;
type Submit = Box<dyn Fn(Head, Bytes) -> BoxFuture<'static, Reply> + Send + Sync>;

pub(crate) struct Scripted {
    admit: Admit,
    submit: Submit,
    pub(crate) admitted: Mutex<Vec<Head>>,
    pub(crate) submitted: Mutex<Vec<(Head, Bytes)>>,
}

impl Scripted {
    /// Admits everybody.
    pub(crate) fn new<F>(submit: impl Fn(Head, Bytes) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        Self {
            admit: Box::new(|_| None),
            submit: Box::new(move |head, body| Box::pin(submit(head, body))),
            admitted: Mutex::default(),
            submitted: Mutex::default(),
        }
    }

    /// Answers every exchange with its own body.
    pub(crate) fn echo() -> Self {
        Self::new(|_, body| async move { Reply::json(200, body) })
    }

    /// Answers every exchange with the stream that the function makes.
    pub(crate) fn events<S: EventStream + 'static>(stream: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self::new(move |_, _| {
            let body = ReplyBody::Events(Box::new(stream()));
            async move { Reply { status: 200, session: None, body } }
        })
    }

    pub(crate) fn admit(mut self, admit: impl Fn(&Head) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.admit = Box::new(admit);
        self
    }

    pub(crate) fn admissions(&self) -> usize {
        self.admitted.lock().unwrap().len()
    }

    pub(crate) fn submissions(&self) -> usize {
        self.submitted.lock().unwrap().len()
    }
}

impl Gateway for Scripted {
    fn admit<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<Admission, Reply>> {
        self.admitted.lock().unwrap().push(head.clone());
        let verdict = (self.admit)(head).map_or_else(|| Ok(admission()), Err);
        Box::pin(async move { verdict })
    }

    fn submit(&self, _: Admission, head: Head, body: Bytes) -> BoxFuture<'_, Reply> {
        self.submitted.lock().unwrap().push((head.clone(), body.clone()));
        (self.submit)(head, body)
    }
}

/// Only a gateway can make an admission; this one was written down before.
fn admission() -> Admission {
    let text = r#"{"project":"01890a5d-ac96-774b-bcce-b302099a8057","key":"k","target":"Unified"}"#;
    serde_json::from_str(text).unwrap()
}

/// Says so when it is dropped.
pub(crate) struct Departure(mpsc::Sender<()>);

impl Drop for Departure {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Makes departures, and hears of them.
pub(crate) fn departures() -> (impl Fn() -> Departure + Clone, mpsc::Receiver<()>) {
    let (sender, receiver) = mpsc::channel(100);
    (move || Departure(sender.clone()), receiver)
}

/// Some events, then the end or silence.
pub(crate) struct Script {
    events: VecDeque<Event>,
    then_silence: bool,
    _departure: Option<Departure>,
}

impl Script {
    pub(crate) fn of(events: impl IntoIterator<Item = Event>) -> Self {
        Self { events: events.into_iter().collect(), then_silence: false, _departure: None }
    }

    pub(crate) fn silence() -> Self {
        Self::of([]).then_silence()
    }

    pub(crate) fn then_silence(self) -> Self {
        Self { then_silence: true, ..self }
    }

    pub(crate) fn watched(self, departure: Departure) -> Self {
        Self { _departure: Some(departure), ..self }
    }
}

impl EventStream for Script {
    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.events.pop_front() {
            None if self.then_silence => Poll::Pending,
            event => Poll::Ready(event),
        }
    }
}

/// The events that a test sends, until it has no more.
pub(crate) struct Fed(pub(crate) mpsc::Receiver<Event>);

impl EventStream for Fed {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}

/// The same event, as often as it is asked for.
pub(crate) struct Torrent {
    event: Event,
    _departure: Departure,
}

impl Torrent {
    pub(crate) fn new(event: Event, departure: Departure) -> Self {
        Self { event, _departure: departure }
    }
}

impl EventStream for Torrent {
    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Event>> {
        Poll::Ready(Some(self.event.clone()))
    }
}

pub(crate) fn message(data: &str) -> Event {
    Event::Message { id: None, data: Bytes::copy_from_slice(data.as_bytes()) }
}
