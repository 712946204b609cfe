//! One child from its start to the report of its end.
//!
//! Three tasks serve its streams and never wait for each other: the writer, the reader and the one for the error
//! output. This task only watches for the end, of which there are three: the child exits, its output breaks, or
//! somebody asks for it. Whatever it is, nothing is left of the child's tree when `closed` is said, which is the last
//! thing.

use std::future;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{CloseReason, Grace, LaunchSpec, LinkSink};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::containers::Engine;
use crate::framer::Framer;
use crate::leash::{Leash, NotRunning};
use crate::outbox::Outbox;
use crate::pipe::Pipe;
use crate::shim::order::{Step, Way};
use crate::{Ground, complaints, containers, housing, program, spawn};

/// How long the output of an exited child may be held open by a process that cannot be ended.
const PIPE_WAIT: Duration = Duration::from_millis(200);

/// Why a child was ended that closed its output.
const MUTE: &str =
    "its process closed its standard output, on which it would have answered, and was ended for that";

/// The time for a child that closed its output, and so can answer nothing, to exit by itself.
const MUTE_GRACE: Grace = Grace { stdin: Duration::from_secs(1), term: Duration::from_secs(1) };

/// So many messages are handed on at once: those of a pipe full of short ones would take as long as a hundred calls.
const PORTION: usize = 64;

/// Whoever brings so many bytes at once lets others go before the next.
const MUCH: usize = 32 * 1024;

/// The end of a link that nothing waits for.
pub(crate) const NOW: Grace = Grace { stdin: Duration::ZERO, term: Duration::ZERO };

/// What a life needs.
pub(crate) struct Life {
    pub(crate) launch: LaunchSpec,
    pub(crate) ground: Arc<Ground>,
    pub(crate) sink: Arc<dyn LinkSink>,
    pub(crate) outbox: Arc<Outbox>,
    /// Says when to end.
    pub(crate) stop: watch::Receiver<Option<Grace>>,
    pub(crate) tasks: TaskTracker,
}

/// A child whose program runs.
struct Started {
    leash: Leash,
    pid: Option<u32>,
    stdin: ChildStdin,
    /// Where its containers are, if it makes any.
    engine: Option<Engine>,
}

/// How the end of a child came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was asked for.
    Asked,
    /// Nobody knows.
    ByItself,
    /// Its output had ended before, and its reader with it; whether it was ended for that.
    Mute { signalled: bool },
}

impl Life {
    /// Lives it.
    pub(crate) async fn live(mut self) {
        let reason = if self.stop.borrow().is_some() {
            CloseReason::Stopped
        } else {
            match self.start().await {
                Ok(Some(child)) => self.run(child).await,
                Ok(None) => CloseReason::Stopped,
                Err(why) => why,
            }
        };
        self.outbox.finish();
        self.sink.closed(reason);
    }

    /// `None` when the end was asked for, without grace, before the program ran.
    async fn start(&mut self) -> Result<Option<Started>, CloseReason> {
        let mut order = spawn::order(&self.launch, &self.ground)?;
        let engine = containers::label(&mut order, &self.ground);
        if let Some(engine) = &engine {
            engine.take_over(&self.ground).await;
        }
        let called = order.called.to_string_lossy();
        let namespaces = &self.ground.namespaces;
        let failed = CloseReason::NotStarted;
        loop {
            housing::check(&self.launch, self.ground.walls()).map_err(CloseReason::Misconfigured)?;
            let way = if namespaces.load(Ordering::Relaxed) { Way::Namespace } else { Way::Plain };
            let (leash, stdin) = spawn::shim(&self.ground.shim, &self.launch.server, way, &order)
                .map_err(|error| failed(program::explain("mcp-orch", &error)))?;
            let running = tokio::select! {
                running = leash.running() => running,
                () = hurried(&mut self.stop) => {
                    let _nobody_asks_how = leash.release().await;
                    clear(engine.as_ref()).await;
                    return Ok(None);
                }
            };
            let NotRunning { step, error } = match running {
                Ok(pid) => return Ok(Some(Started { leash, pid, stdin, engine })),
                Err(why) => why,
            };
            let _it_ended = leash.release().await;
            match step {
                Step::Namespace if way == Way::Namespace => {
                    tracing::info!(%error, "no PID namespaces here: processes are ended one by one");
                    namespaces.store(false, Ordering::Relaxed);
                }
                Step::Program => return Err(failed(program::explain(&called, &error))),
                Step::Cage => {
                    return Err(failed(format!("the walls around `{called}` could not be raised: {error}")));
                }
                Step::Namespace | Step::Setup => {
                    return Err(failed(format!(
                        "the process beside `{called}` could not be started: {error}"
                    )));
                }
            }
        }
    }

    async fn run(&mut self, started: Started) -> CloseReason {
        let Started { mut leash, pid, stdin, engine } = started;
        if let Some(launched) = leash.launched(pid) {
            self.sink.launched(launched);
        }
        self.sink.opened(pid);
        let writer = self.write(stdin);
        let mut reader = leash.shim().stdout.take().map(|it| self.read(it));
        let complaints = leash.shim().stderr.take().map(|it| self.listen(it));

        let how = self.watch(&mut leash, reader.as_mut()).await;
        self.outbox.finish();
        let end = leash.release().await;
        clear(engine.as_ref()).await;
        tokio::join!(
            settle(Some(writer), Duration::ZERO),
            settle(reader.filter(|_| !matches!(how, End::Mute { .. })), PIPE_WAIT),
            settle(complaints, PIPE_WAIT)
        );
        if how == End::Asked {
            return CloseReason::Stopped;
        }
        let limits = &self.launch.spec.confinement.limits;
        let Ok(end) = end else { return CloseReason::Exited(-1) };
        let reason = reason_of(end.status);
        let was_ended = how == (End::Mute { signalled: true }) && matches!(reason, CloseReason::Signalled(_));
        match housing::limit_hit(end, limits) {
            Some(over) => CloseReason::OverLimit(over),
            None if was_ended => CloseReason::Lost(MUTE.to_owned()),
            None => reason,
        }
    }

    /// Until the server has exited.
    async fn watch(&mut self, leash: &mut Leash, reader: Option<&mut JoinHandle<()>>) -> End {
        let output = async {
            match reader {
                Some(reader) => drop(reader.await),
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = leash.exited() => End::ByItself,
            () = output => {
                End::Mute { signalled: self.stop_in_steps(leash, MUTE_GRACE).await }
            }
            grace = asked(&mut self.stop) => {
                self.stop_in_steps(leash, grace).await;
                End::Asked
            }
        }
    }

    /// Until the server has exited, or is to be killed. Whether it was told to end by a signal.
    async fn stop_in_steps(&mut self, leash: &mut Leash, grace: Grace) -> bool {
        self.outbox.finish();
        for (wait, asks) in [(grace.stdin, true), (grace.term, false)] {
            tokio::select! {
                () = leash.exited() => return !asks,
                () = tokio::time::sleep(wait) => {}
                () = hurried(&mut self.stop), if grace != NOW => return true,
            }
            if asks {
                leash.term();
            }
        }
        true
    }

    fn write(&self, stdin: ChildStdin) -> JoinHandle<()> {
        let outbox = Arc::clone(&self.outbox);
        self.tasks.spawn(async move { outbox.write_to(Pipe::new(stdin)).await })
    }

    fn read(&self, stdout: ChildStdout) -> JoinHandle<()> {
        let (sink, limit) = (Arc::clone(&self.sink), self.launch.message_bytes);
        let server = self.launch.server.clone();
        self.tasks.spawn(async move { read_frames(Pipe::new(stdout), &server, limit, &*sink).await })
    }

    fn listen(&self, stderr: ChildStderr) -> JoinHandle<()> {
        let sink = Arc::clone(&self.sink);
        self.tasks.spawn(async move { complaints::read_all(stderr, &*sink).await })
    }
}

async fn read_frames(mut stdout: impl AsyncRead + Unpin, server: &str, limit: usize, sink: &dyn LinkSink) {
    let mut lines = Framer::new(limit);
    while let Ok(read) = stdout.read_buf(lines.space()).await
        && read > 0
    {
        let mut frames = Vec::new();
        while let Err(overlong) = lines.frames(&mut frames) {
            let instead = overlong.instead(limit);
            let (bytes, answered) = (overlong.bytes, instead.is_some());
            tracing::warn!(
                server,
                bytes,
                limit,
                answered,
                "a message over the limit message_bytes was dropped"
            );
            frames.extend(instead);
        }
        hand_on(frames, sink).await;
        if read >= MUCH {
            // There may be no end to it, and the runtime would let it go on for a hundred times this.
            tokio::task::yield_now().await;
        }
    }
}

/// Hands messages on in portions, so that between them others get their turn.
async fn hand_on(mut frames: Vec<Bytes>, sink: &dyn LinkSink) {
    while !frames.is_empty() {
        let later = frames.split_off(frames.len().min(PORTION));
        let rest = sink.received(None, frames);
        frames = later;
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        } else if !frames.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

/// Removes the containers of a server that has ended.
async fn clear(engine: Option<&Engine>) {
    if let Some(engine) = engine {
        engine.clear().await;
    }
}

/// Waits so long for a task, then ends it. It does nothing any more when this is ready.
async fn settle<T>(task: Option<JoinHandle<T>>, wait: Duration) -> Option<T> {
    let mut task = task?;
    match tokio::time::timeout(wait, &mut task).await {
        Ok(done) => done.ok(),
        Err(_late) => {
            task.abort();
            task.await.ok()
        }
    }
}

/// Ready when somebody asked for the end.
async fn asked(stop: &mut watch::Receiver<Option<Grace>>) -> Grace {
    stop.wait_for(Option::is_some).await.ok().and_then(|grace| *grace).unwrap_or(NOW)
}

/// Ready when somebody asked for the end without any grace.
async fn hurried(stop: &mut watch::Receiver<Option<Grace>>) {
    if stop.wait_for(|grace| *grace == Some(NOW)).await.is_err() {
        future::pending::<()>().await;
    }
}

fn reason_of(status: ExitStatus) -> CloseReason {
    match (status.code(), status.signal()) {
        (Some(code), _) => CloseReason::Exited(code),
        (None, Some(signal)) => CloseReason::Signalled(signal),
        (None, None) => CloseReason::Exited(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::ports::upstream::Launched;
    use std::sync::Mutex;
    use tokio::time::Instant;

    /// Wants a second of rest after the first messages, and knows when how many came.
    struct Tired(Instant, Mutex<Vec<(Duration, usize)>>);

    impl LinkSink for Tired {
        fn opened(&self, _: Option<u32>) {}

        fn launched(&self, _: Launched) {}

        fn received(&self, _: Option<&str>, frames: Vec<Bytes>) -> Duration {
            let mut seen = self.1.lock().unwrap();
            seen.push((self.0.elapsed(), frames.len()));
            if seen.len() == 1 { Duration::from_secs(1) } else { Duration::ZERO }
        }

        fn logged(&self, _: String) {}

        fn dropped(&self, _: u64) {}

        fn closed(&self, _: CloseReason) {}
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_handed_on_in_portions_and_none_while_the_link_rests() {
        let sink = Tired(Instant::now(), Mutex::default());
        let input = "{}\n".repeat(2 * PORTION + 1);
        read_frames(input.as_bytes(), "a", 1 << 20, &sink).await;
        let seen: Vec<_> = sink.1.into_inner().unwrap();
        let seen: Vec<_> = seen.into_iter().map(|(at, count)| (at.as_secs(), count)).collect();
        assert_eq!(seen, [(0, PORTION), (1, PORTION), (1, 1)]);
    }
}
