//! The requests of one link that are under way.
//!
//! Requests run side by side. What is handed in after a notification or a reply waits for the server to take that, so that it comes
//! after it; but not for long, since others of the project may have said it. What follows `notifications/initialized` waits until
//! the server took it, and has opened the stream of its news: most servers say there what they ask of their clients, and forget what
//! nobody was there for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::exchange::{self, Ending};
use crate::follow;
use crate::message::{Kind, Message, Request};
use crate::open::Stream;
use crate::queue::Queue;
use crate::wires::Wires;

/// Where messages are handed in, and the ends of their requests come out.
pub(crate) struct Desk {
    wires: Arc<Wires>,
    tasks: JoinSet<Ending>,
    roles: HashMap<Id, Role>,
    /// Requests under way, by the raw JSON of their id.
    requests: HashMap<String, Flight>,
    /// Requests that wait for one of those to end: of clients there are never so many, but the hub may have a thousand resources to
    /// subscribe to again.
    waiting: VecDeque<(Request, Message)>,
    /// What goes before all that is in line.
    ahead: Option<Ahead>,
    line: VecDeque<Message>,
    /// `notifications/initialized` is out, or the stream of the server's news is asked for.
    gate_is_shut: bool,
}

/// A notification or reply that its server has not taken yet.
struct Ahead {
    note: Id,
    /// The time that the others give it.
    time: AbortHandle,
}

struct Flight {
    task: AbortHandle,
    /// Of the stateless era: it is cancelled by closing its stream.
    stateless: bool,
    listens: bool,
}

/// What a task was for.
enum Role {
    /// `notifications/initialized`.
    Hello,
    /// The wait for the stream of the server's news.
    Threshold,
    /// What wants no answer; the request that it cancels ends with it.
    Note {
        cancels: Option<String>,
    },
    /// The time that others give it.
    Patience,
    Request(String),
    Stream,
}

impl Desk {
    pub(crate) fn new(wires: Arc<Wires>) -> Self {
        Self {
            wires,
            tasks: JoinSet::new(),
            roles: HashMap::new(),
            requests: HashMap::new(),
            waiting: VecDeque::new(),
            ahead: None,
            line: VecDeque::new(),
            gate_is_shut: false,
        }
    }

    /// Whether messages may be handed in.
    pub(crate) fn is_open(&self) -> bool {
        !self.gate_is_shut
    }

    fn is_full(&self) -> bool {
        self.requests.len() >= self.wires.outlet.limits.remote_in_flight
    }

    /// Whether anything is under way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Reads the one stream of a link of 2024-11-05.
    pub(crate) fn read(&mut self, stream: Stream) {
        let wires = Arc::clone(&self.wires);
        self.start(Role::Stream, stream.run(wires));
    }

    /// Sends a message.
    pub(crate) fn take(&mut self, message: Message) {
        match message.kind.clone() {
            Kind::Initialized => {
                self.gate_is_shut = true;
                self.tell(Role::Hello, message);
            }
            Kind::Cancel(id) => self.cancel(&id, message),
            Kind::Note | Kind::Reply | Kind::Request(_) => self.line_up(message),
        }
    }

    /// What the next task that ends means. To be asked for only while the desk is busy.
    pub(crate) async fn ended(&mut self) -> Ending {
        match self.tasks.join_next_with_id().await {
            Some(joined) => self.on_joined(joined),
            None => Ending::Done,
        }
    }

    /// Ends the requests that do not end by themselves.
    pub(crate) fn hush(&mut self) {
        for flight in self.requests.values().filter(|flight| flight.listens) {
            flight.task.abort();
        }
    }

    /// Whether anything is under way that ends by itself.
    pub(crate) fn is_calm(&self) -> bool {
        let streams = self.roles.values().filter(|role| matches!(role, Role::Stream)).count();
        self.tasks.len() <= streams
    }

    /// Ends everything. Nothing is reported any more when this is ready. The ids of requests that were never sent.
    pub(crate) async fn shut(&mut self, queue: &Arc<Queue>) -> Vec<String> {
        self.tasks.shutdown().await;
        let unread = std::iter::from_fn(|| queue.pop());
        let unread = unread.map(|parcel| Message::read(parcel, &self.wires.outlet.limits));
        let unsent = self.line.drain(..).chain(unread);
        let unsent: Vec<String> = unsent.filter_map(|message| Some(message.request()?.id.clone())).collect();
        self.waiting.drain(..).map(|(request, _)| request.id).chain(unsent).collect()
    }

    fn start(&mut self, role: Role, task: impl Future<Output = Ending> + Send + 'static) -> AbortHandle {
        let handle = self.tasks.spawn(task);
        self.roles.insert(handle.id(), role);
        handle
    }

    fn ask(&mut self, request: Request, message: Message) {
        let (id, listens, stateless) = (request.id.clone(), request.listens, request.stateless);
        let asked = exchange::ask(Arc::clone(&self.wires), request, message);
        let task = self.start(Role::Request(id.clone()), asked);
        self.requests.insert(id, Flight { task, stateless, listens });
    }

    fn tell(&mut self, role: Role, message: Message) -> AbortHandle {
        let told = exchange::tell(Arc::clone(&self.wires), message);
        self.start(role, told)
    }

    fn line_up(&mut self, message: Message) {
        self.line.push_back(message);
        self.go_on();
    }

    /// Sends what is in line, up to the next that wants no answer.
    fn go_on(&mut self) {
        while self.ahead.is_none()
            && let Some(message) = self.line.pop_front()
        {
            match message.kind.clone() {
                Kind::Request(request) if self.is_full() => self.waiting.push_back((request, message)),
                Kind::Request(request) => self.ask(request, message),
                Kind::Cancel(_) | Kind::Initialized | Kind::Note | Kind::Reply => self.note(message),
            }
        }
    }

    fn note(&mut self, message: Message) {
        let note = self.tell(Role::Note { cancels: None }, message).id();
        let patience = self.wires.outlet.limits.remote_order;
        let time = self.start(Role::Patience, async move {
            sleep(patience).await;
            Ending::Done
        });
        self.ahead = Some(Ahead { note, time });
    }

    /// What goes before the others was taken, or its time is over.
    fn let_go(&mut self, which: impl FnOnce(&Ahead) -> bool) {
        if let Some(ahead) = self.ahead.take_if(|ahead| which(ahead)) {
            ahead.time.abort();
            self.go_on();
        }
    }

    /// A request that is not known is answered, or was never sent: there is nothing to cancel. But over HTTP+SSE,
    /// where the answer comes elsewhere.
    fn cancel(&mut self, id: &str, message: Message) {
        self.waiting.retain(|(request, _)| request.id != id);
        let all = self.line.len();
        self.line.retain(|message| message.request().is_none_or(|request| request.id != id));
        let cancels = match self.requests.get(id) {
            Some(flight) if flight.stateless => return flight.task.abort(),
            Some(_) => true,
            None => self.wires.one_stream && self.line.len() == all,
        };
        if cancels {
            self.tell(Role::Note { cancels: Some(id.to_owned()) }, message);
        }
    }

    fn on_joined(&mut self, joined: Result<(Id, Ending), JoinError>) -> Ending {
        let (task, ending) = joined.unwrap_or_else(|error| (error.id(), Ending::Done));
        match self.roles.remove(&task) {
            Some(Role::Hello) => self.follow(),
            Some(Role::Threshold) => self.gate_is_shut = false,
            Some(Role::Note { cancels }) => self.on_noted(task, cancels),
            Some(Role::Patience) => self.let_go(|ahead| ahead.time.id() == task),
            Some(Role::Request(id)) => {
                self.requests.remove(&id);
                if let Some((next, message)) = self.waiting.pop_front() {
                    self.ask(next, message);
                }
            }
            Some(Role::Stream) | None => {}
        }
        ending
    }

    /// The session has begun: its own stream may be asked for, and then the rest may go out.
    fn follow(&mut self) {
        if self.wires.one_stream {
            self.gate_is_shut = false;
            return;
        }
        let (wires, patience) = (Arc::clone(&self.wires), self.wires.outlet.limits.remote_news);
        let (answered, known) = oneshot::channel();
        self.start(Role::Stream, async move { follow::session(&wires, answered).await });
        self.start(Role::Threshold, async move {
            let _late = timeout(patience, known).await;
            Ending::Done
        });
    }

    /// The server knows that a request is cancelled, so nothing of it is waited for.
    fn on_noted(&mut self, task: Id, cancels: Option<String>) {
        if let Some(flight) = cancels.and_then(|id| self.requests.get(&id)) {
            flight.task.abort();
        }
        self.let_go(|ahead| ahead.note == task);
    }
}
