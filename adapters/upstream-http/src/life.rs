//! One link from its opening to the report of its end.
//!
//! This task hands messages to the desk and watches for the end, of which there are two: somebody asks for it, or the link
//! breaks. Whatever it is, `closed` is the last thing that is said. A session that its server has forgotten is no end by
//! itself: that is told, and each request that is under way has its own exchange.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::upstream::{CloseReason, Grace, LaunchSpec, LinkSink};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::desk::Desk;
use crate::exchange::Ending;
use crate::message::Message;
use crate::open::{self, Opened, Unopened, Way};
use crate::queue::Queue;
use crate::wires::Wires;

/// The end of a link that nothing waits for.
pub(crate) const NOW: Grace = Grace { stdin: Duration::ZERO, term: Duration::ZERO };

/// What a life needs.
pub(crate) struct Life {
    pub(crate) launch: LaunchSpec,
    pub(crate) sink: Arc<dyn LinkSink>,
    pub(crate) queue: Arc<Queue>,
    /// Says when to end.
    pub(crate) stop: watch::Receiver<Option<Grace>>,
    pub(crate) way: Way,
}

impl Life {
    /// Lives it.
    pub(crate) async fn live(mut self) {
        let reason = self.run().await;
        self.queue.finish();
        self.sink.closed(reason);
    }

    async fn run(&mut self) -> CloseReason {
        let opened = tokio::select! {
            biased;
            _ = asked(&mut self.stop) => return CloseReason::Stopped,
            opened = open::open(self.way.clone(), &self.launch, Arc::clone(&self.sink)) => opened,
        };
        let Opened { wires, stream } = match opened {
            Ok(opened) => opened,
            Err(Unopened::LoginRequired(words)) => return CloseReason::LoginRequired(words),
            Err(Unopened::Failed(words)) => return CloseReason::NotStarted(words),
        };
        wires.outlet.opened();
        let mut desk = Desk::new(Arc::clone(&wires));
        if let Some(stream) = stream {
            desk.read(stream);
        }
        match self.serve(&mut desk, &wires).await {
            Err(grace) => self.stop(desk, wires, grace).await,
            Ok(reason) => {
                self.queue.finish();
                self.end(desk, &wires, reason).await
            }
        }
    }

    /// Until the link has a reason to end, or somebody asks for the end.
    async fn serve(&mut self, desk: &mut Desk, wires: &Wires) -> Result<CloseReason, Grace> {
        loop {
            tokio::select! {
                biased;
                grace = asked(&mut self.stop) => return Err(grace),
                ending = desk.ended(), if desk.is_busy() => match ending {
                    Ending::Done => {}
                    Ending::Lost(words) => return Ok(CloseReason::Lost(words)),
                    Ending::TooLong => return Ok(CloseReason::MessageTooLong),
                },
                Some(parcel) = self.queue.next(), if desk.is_open() => {
                    desk.take(Message::read(parcel, &wires.outlet.limits));
                }
            }
        }
    }

    /// The link has broken: what was not sent is said to be so.
    async fn end(&self, mut desk: Desk, wires: &Arc<Wires>, reason: CloseReason) -> CloseReason {
        let unsent = desk.shut(&self.queue).await;
        let cause = match reason {
            CloseReason::Lost(ref words) => words.as_str(),
            CloseReason::Exited(_)
            | CloseReason::LoginRequired(_)
            | CloseReason::MessageTooLong
            | CloseReason::Misconfigured(_)
            | CloseReason::NotStarted(_)
            | CloseReason::OverLimit(_)
            | CloseReason::Signalled(_)
            | CloseReason::Stopped => "it sent a message over the limit message_bytes",
        };
        for id in &unsent {
            wires.outlet.unsent(id, cause);
        }
        self.farewell(Arc::clone(wires));
        reason
    }

    /// Sends what is queued, waits for answers as long as the grace goes, and ends the session.
    async fn stop(&mut self, mut desk: Desk, wires: Arc<Wires>, grace: Grace) -> CloseReason {
        self.queue.finish();
        let mut stop = self.stop.clone();
        let hurry = async {
            if grace != NOW {
                hurried(&mut stop).await;
            }
        };
        tokio::pin!(hurry);
        let patient = tokio::select! {
            () = &mut hurry => false,
            _ = timeout(grace.stdin, self.settle(&mut desk, &wires)) => grace != NOW,
        };
        desk.shut(&self.queue).await;
        let farewell = self.farewell(wires);
        if patient {
            tokio::select! {
                () = hurry => {}
                _ = timeout(grace.term, farewell) => {}
            }
        }
        CloseReason::Stopped
    }

    /// Until everything is sent, and everything is answered that will be.
    async fn settle(&self, desk: &mut Desk, wires: &Wires) {
        loop {
            while desk.is_open()
                && let Some(parcel) = self.queue.pop()
            {
                desk.take(Message::read(parcel, &wires.outlet.limits));
            }
            desk.hush();
            if desk.is_calm() {
                return;
            }
            desk.ended().await;
        }
    }

    /// Ends the session at its server. It goes on when nobody waits for it.
    fn farewell(&self, wires: Arc<Wires>) -> tokio::task::JoinHandle<()> {
        self.way.tasks.spawn(async move {
            let _told = timeout(wires.outlet.limits.remote_farewell, wires.delete()).await;
        })
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
