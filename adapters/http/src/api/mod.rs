//! The REST interface to runs of plans (`/api`). Each request is a call of a tool of the hub, with the caller's key: there is one
//! dispatcher, and nothing here decides anything.

mod ask;
mod route;
mod tell;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use orch_core::Fault;
use orch_core::ports::gateway::{
    Admission, Event, EventStream, Gateway, Head, Reply, ReplyBody, Target, Verb,
};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use crate::exchange::Face;
use crate::reply::{self, Body, Exchange};
use crate::{body, head, media};
use ask::Ask;
pub(crate) use route::Place;
use route::What;
use tell::Told;

/// The description of the interface, in the form of `OpenAPI` 3.1.
pub(crate) const DESCRIPTION: &[u8] = include_bytes!("openapi.json");

/// What goes back.
enum Outcome {
    Told(Told),
    /// A run was begun; the path that it has.
    Begun(Told, String),
    Stream(Box<dyn EventStream>),
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self::Told(Told::of_fault(&fault))
    }
}

impl<G: Gateway + ?Sized> Face<G> {
    /// Answers a request at a place of the interface.
    pub(crate) async fn answer_api(
        &self,
        bound: SocketAddr,
        exchange: Exchange,
        place: Place<'_>,
        request: (&Parts, Incoming),
    ) -> Response<Body> {
        let allow = place.what.allow();
        let outcome = match self.check_target(bound, request.0) {
            Ok(()) => self.serve_api(&exchange, place, request).await,
            Err(fault) => Err(fault),
        };
        match outcome.unwrap_or_else(Outcome::from) {
            Outcome::Told(told) => {
                reply::tell(told.status, told.is_problem, (None, allow), told.body, exchange)
            }
            Outcome::Begun(told, path) => reply::tell(202, false, (Some(&path), allow), told.body, exchange),
            Outcome::Stream(stream) => {
                let reply = Reply { status: 200, session: None, body: ReplyBody::Events(stream) };
                reply::respond(reply, exchange, self.limits.sse_comment, false)
            }
        }
    }

    async fn serve_api(
        &self,
        exchange: &Exchange,
        place: Place<'_>,
        (parts, body): (&Parts, Incoming),
    ) -> Result<Outcome, Fault> {
        let ask = Ask::of(place.what, &parts.method, parts.uri.query().unwrap_or_default())?;
        let head = Head {
            verb: Verb::Post,
            project: Some(place.project.to_owned()),
            target: Target::Unified,
            bearer: head::bearer_of(&parts.headers)?,
            session: None,
            headers: Ask::headers(ask.tool, head::idempotency_of(&parts.headers)?),
            messages_path: String::new(),
        };
        let admission = match self.gateway.admit(&head).await {
            Ok(admission) => admission,
            Err(reply) => return Ok(Outcome::Told(Told::bare(reply.status))),
        };
        if !place.what.has(&parts.method) {
            return Ok(Outcome::Told(tell::no_method()));
        }
        if place.what == What::Batches && parts.method == Method::POST {
            media::sends_json(&parts.headers)?;
            let plan = body::read(body, &self.limits, exchange.pacer()).await?;
            return self.execute(place, admission, head, &plan).await;
        }
        if !body.is_end_stream() {
            let said = body::read(body, &self.limits, exchange.pacer()).await?;
            if parts.method == Method::POST {
                ask::says_nothing(&said)?;
            }
        }
        let reply = self.gateway.submit(admission, head, ask.message().into()).await;
        Ok(match (place.what, reply) {
            (What::Events(_), Reply { body: ReplyBody::Events(stream), .. }) => {
                Outcome::Stream(Box::new(News(stream, false)))
            }
            (What::Events(_), Reply { status, body: ReplyBody::Json(answer), .. }) => {
                let told = Told::of(status, &answer);
                if told.is_problem {
                    Outcome::Told(told)
                } else {
                    Outcome::Stream(Box::new(Once(Some(answer))))
                }
            }
            (_, reply) => Outcome::Told(whole(reply).await),
        })
    }

    /// Begins a run. It goes on whatever becomes of the request; who does not want it in the background waits for its end.
    async fn execute(
        &self,
        place: Place<'_>,
        admission: Admission,
        head: Head,
        plan: &[u8],
    ) -> Result<Outcome, Fault> {
        let (ask, manner) = Ask::execute(plan)?;
        let reply = self.gateway.submit(admission.clone(), head.clone(), ask.message().into()).await;
        let begun = whole(reply).await;
        let Some(run) = begun.run().filter(|_| !manner.dry_run) else { return Ok(Outcome::Told(begun)) };
        let path = format!("/api/projects/{}/batches/{run}", place.project);
        if manner.background {
            return Ok(Outcome::Begun(begun, path));
        }
        let ask = Ask::end_of(&run);
        let head = Head { headers: Ask::headers(ask.tool, None), ..head };
        let end = whole(self.gateway.submit(admission, head, ask.message().into()).await).await;
        // Who is told that its end cannot be waited for now, since the hub stops or has too much to do, would ask for it twice.
        let told = if matches!(end.status, 429 | 503) { begun } else { end };
        Ok(if told.goes_on() { Outcome::Begun(told, path) } else { Outcome::Told(told) })
    }
}

/// What a reply says in the end.
async fn whole(reply: Reply) -> Told {
    match reply.body {
        ReplyBody::Empty => Told::bare(reply.status),
        ReplyBody::Json(answer) => Told::of(reply.status, &answer),
        ReplyBody::Events(mut stream) => {
            let mut last = Bytes::new();
            while let Some(event) = poll_fn(|cx| stream.poll_event(cx)).await {
                if let Event::Message { data, .. } = event {
                    last = data;
                }
            }
            Told::of(reply.status, &last)
        }
    }
}

/// The messages about a run, as its followers see them. True when the last one was said.
struct News(Box<dyn EventStream>, bool);

impl EventStream for News {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        while !self.1 {
            let Some(event) = ready!(self.0.poll_event(cx)) else { break };
            let Event::Message { data, .. } = event else { continue };
            if let Some((text, ends)) = tell::news(&data) {
                self.1 = ends;
                return Poll::Ready(Some(Event::Message { id: None, data: text.into() }));
            }
        }
        Poll::Ready(None)
    }
}

/// The one message about a run that has ended.
struct Once(Option<Bytes>);

impl EventStream for Once {
    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Event>> {
        let news = self.0.take().and_then(|answer| tell::news(&answer));
        Poll::Ready(news.map(|(text, _)| Event::Message { id: None, data: text.into() }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::DESCRIPTION;

    fn check_references(value: &Value, whole: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(whole.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let members = value.as_object().into_iter().flat_map(|object| object.values());
        for inner in members.chain(value.as_array().into_iter().flatten()) {
            check_references(inner, whole);
        }
    }

    #[test]
    fn the_description_has_what_may_be_sent_and_what_may_come_back() {
        let whole: Value = serde_json::from_slice(DESCRIPTION).unwrap();
        check_references(&whole, &whole);
        let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let run = &whole["paths"]["/api/projects/{project}/batches"]["post"];
        let json = |place: &Value| place["content"]["application/json"]["schema"].clone();
        assert_eq!(json(&run["requestBody"]), json!({ "oneOf": [schema("Plan"), schema("Goal")] }));
        let told = ["Run", "Outline", "Planned"].map(schema);
        assert_eq!(json(&run["responses"]["200"]), json!({ "anyOf": told }));
        for (path, item) in whole["paths"].as_object().unwrap() {
            for operation in ["get", "post"].into_iter().filter_map(|verb| item.get(verb)) {
                let begins = ["runBatch", "retryBatch"].contains(&operation["operationId"].as_str().unwrap());
                let responses = &operation["responses"];
                assert!(responses["503"].is_object(), "{path}: the hub may be about to stop");
                assert_eq!(responses["429"].is_object(), begins, "{path}");
                let is_sent = operation == &item["post"];
                assert_eq!(responses["413"].is_object(), is_sent, "{path}");
                assert_eq!(responses["415"].is_object(), is_sent && operation["requestBody"].is_object());
            }
        }
    }
}
