//! The one interpreter of effects. Each is carried out at once or queued; none waits, for the lock is held.

use std::sync::Arc;

use orch_core::ports::gateway::Event;
use orch_core::ports::planner::{PlannerFault, PlannerFaultKind, Question, Written};
use orch_core::ports::store::{Change, Expect};
use orch_core::ports::upstream::{CloseReason, LaunchSpec, QueueFull, UpstreamLink};
use orch_core::record::{Definitions, LogCategory, LogLevel, LogSource, Record, Server, Transport, resolve};
use orch_core::shard::{Effect, Input, Report, Token};
use orch_core::{ExchangeId, LinkId, ServerId};

use crate::cell::{Cell, Live};
use crate::exchange::Sink;
use crate::ledger::Then;
use crate::secrets::Secrets;
use crate::sink::CellSink;

/// Carries out all effects of one input, in their order.
pub(crate) fn run(cell: &Arc<Cell>, live: &mut Live) {
    let mut effects = std::mem::take(&mut live.effects);
    for effect in effects.drain(..) {
        match effect {
            Effect::Answer { exchange, status, session, body } => {
                if let Some(sink) = live.sinks.remove(&exchange) {
                    sink.answer(status, session, body);
                }
            }
            Effect::AskPlanner { token, question } => ask_planner(cell, live, token, *question),
            Effect::LeavePlanner { token } => {
                if let Some(question) = live.questions.remove(&token) {
                    question.abort();
                }
            }
            Effect::CloseLink { link, grace } => {
                if let Some(link) = live.links.get(&link) {
                    link.close(grace);
                }
            }
            Effect::Emit { exchange, event } => emit(cell, live, exchange, Some(event)),
            Effect::Finish { exchange } => {
                if let Some(sink) = live.sinks.remove(&exchange) {
                    sink.finish(cell, exchange);
                }
            }
            Effect::OpenLink { link, server } => open_link(cell, live, link, &server),
            Effect::OpenStream { exchange } => emit(cell, live, exchange, None),
            Effect::Persist { token, changes } => persist(cell, live, token, changes),
            Effect::Publish { definitions } => publish(cell, *definitions),
            Effect::Record(record) => {
                let id = record.server;
                cell.calls.gather(record, || name_of(cell, id));
            }
            Effect::Report(it) => report(cell, it),
            // One link is read by each input.
            Effect::RestLink { link: _, span } => live.rest = span,
            Effect::SendFrame { link, frame } => {
                let frame = cell.world.held.keep(frame);
                send_frame(live, link, |handle| handle.send(frame));
            }
            Effect::SendMirrored { link, frame, params } => {
                let frame = cell.world.held.keep(frame);
                send_frame(live, link, |handle| handle.send_mirrored(frame, params));
            }
        }
    }
    // The buffer is used again for the next input.
    live.effects = effects;
}

fn emit(cell: &Arc<Cell>, live: &mut Live, exchange: ExchangeId, event: Option<Event>) {
    let Some(sink) = live.sinks.remove(&exchange) else { return };
    let queue = sink.into_stream(cell, exchange);
    if let Some(event) = event {
        queue.push(event);
    }
    live.sinks.insert(exchange, Sink::Stream(queue));
}

fn open_link(cell: &Arc<Cell>, live: &mut Live, link: LinkId, server: &Server) {
    let world = &cell.world;
    let mut spec = match resolve(&server.spec, |name| world.variables.lookup(name)) {
        Ok(spec) => spec,
        Err(missing) => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let reason = CloseReason::Misconfigured(missing.join("; "));
            return live.caused.push(Input::LinkClosed { link, reason });
        }
    };
    let upstreams = match &spec.transport {
        Transport::Stdio { .. } => &world.stdio,
        Transport::Remote { .. } => &world.remote,
    };
    let secrets = Secrets::of(&server.spec, |name| world.variables.lookup(name));
    let (snapshot, limits) = (cell.snapshot(), cell.limits());
    spec.confinement = spec.confinement.settled(&snapshot.instance.premises, limits);
    let launch = LaunchSpec {
        project: snapshot.project.slug.clone(),
        server: server.name.clone(),
        spec,
        message_bytes: limits.message_bytes,
        queue_bytes: limits.link_queue_bytes,
    };
    cell.logs.know(&server.name, &secrets);
    let sink = CellSink::new(cell, link, launch.server.clone(), secrets);
    let handle = upstreams.open(launch, Arc::new(sink));
    live.links.insert(link, handle);
}

/// Asks the planner in a task of its own, with the credentials that its owner's references lead to.
fn ask_planner(cell: &Arc<Cell>, live: &mut Live, token: Token, question: Question) {
    let world = &cell.world;
    let spec = match question.spec.resolved(|name| world.variables.lookup(name)) {
        Ok(spec) => spec,
        Err(missing) => {
            let words = format!("no such variable is set: {}", missing.join(", "));
            let fault = PlannerFault { kind: PlannerFaultKind::Misconfigured, words };
            return live.caused.push(Input::PlannerAnswered { token, outcome: Err(fault) });
        }
    };
    let question = Question { spec: Arc::new(spec), ..question };
    let (asker, planner, model) = (Arc::downgrade(cell), Arc::clone(&world.planner), question.model.clone());
    let task = world.tasks.spawn(async move {
        let outcome = planner.ask(question).await;
        match &outcome {
            Ok(Written { usage, .. }) => {
                tracing::info!(%model, input = usage.input, output = usage.output, "tokens for a plan");
            }
            Err(fault) => tracing::warn!(%model, "{fault}"),
        }
        if let Some(cell) = asker.upgrade() {
            cell.answer_question(token, outcome);
        }
    });
    live.questions.insert(token, task.abort_handle());
}

fn send_frame(live: &mut Live, link: LinkId, send: impl FnOnce(&dyn UpstreamLink) -> Result<(), QueueFull>) {
    let Some(handle) = live.links.get(&link) else { return };
    if send(&**handle).is_err() {
        // Requests are bounded before they get here; a queue that is full all the same belongs to a server that
        // has stopped reading. It ends, and its calls are answered.
        live.links.remove(&link);
        let reason = CloseReason::NotStarted("it does not read what it is sent".into());
        live.caused.push(Input::LinkClosed { link, reason });
    }
}

fn persist(cell: &Arc<Cell>, live: &mut Live, token: Option<Token>, changes: Vec<Change>) {
    let refused = cell.ledger.enter(&*cell.world.store, changes, Then::Tell(token));
    if let Err((Then::Tell(Some(token)), full)) = refused {
        live.caused.push(Input::Stored { token, outcome: Err(full.into()) });
    }
}

fn publish(cell: &Arc<Cell>, definitions: Definitions) {
    let change = Change::Put(Record::Definitions(definitions.clone()), Expect::Anything);
    let refused = cell.ledger.enter(&*cell.world.store, vec![change], Then::Serve(Box::new(definitions)));
    if let Err((Then::Serve(definitions), _)) = refused {
        // Not here: whoever replaces records takes their lock first, and this one holds the other.
        let cell = Arc::clone(cell);
        let tasks = cell.world.tasks.clone();
        tasks.spawn(async move { cell.serve(*definitions) });
    }
}

/// The name of a server; empty when it is not configured any more.
fn name_of(cell: &Cell, id: ServerId) -> String {
    cell.snapshot().entry(id).map(|entry| entry.name.clone()).unwrap_or_default()
}

fn report(cell: &Cell, report: Report) {
    let snapshot = cell.snapshot();
    let (project, server, line) = (&*snapshot.project.slug, &*report.server, &*report.message);
    match (report.source, report.category, report.level) {
        (LogSource::Protocol, ..) => tracing::trace!(target: "mcp_orch::server", project, server, "{line}"),
        // What comes and goes, and what clients are told already.
        (LogSource::Stderr, ..)
        | (LogSource::Hub, LogCategory::ToolExecution, _)
        | (LogSource::Hub, LogCategory::Connection, LogLevel::Debug | LogLevel::Info) => {
            tracing::debug!(target: "mcp_orch::server", project, server, "{line}");
        }
        (LogSource::Hub, _, LogLevel::Debug | LogLevel::Info) => {
            tracing::info!(target: "mcp_orch::server", project, server, "{line}");
        }
        (LogSource::Hub, _, LogLevel::Warning | LogLevel::Error | LogLevel::Critical) => {
            tracing::warn!(target: "mcp_orch::server", project, server, "{line}");
        }
    }
    cell.logs.gather(snapshot.named(&report.server).map(|entry| entry.id), report);
}
