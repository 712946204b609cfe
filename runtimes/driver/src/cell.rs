//! A cell: one project's shard with its lock, its snapshot, and its timer. Every lock of the product is here.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use orch_core::planner::PlannerSpec;
use orch_core::ports::gateway::Reply;
use orch_core::ports::planner::{Planner, PlannerFault, Written};
use orch_core::ports::store::{Store, StoreError};
use orch_core::ports::upstream::{UpstreamLink, Upstreams};
use orch_core::ports::variables::Variables;
use orch_core::record::{Definitions, Project, Server};
use orch_core::shard::{Cx, Effects, Input, Shard, Token};
use orch_core::snapshot::{Draft, Instance, Snapshot, diff};
use orch_core::turns::Turns;
use orch_core::{Entropy, Exceeded, ExchangeId, KeyId, Limits, LinkId, ProjectId, Timestamp, Unstored};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::calls::CallLog;
use crate::clock::Clock;
use crate::exchange::Sink;
use crate::held::{Account, Accounts};
use crate::interpret;
use crate::ledger::{self, Ledger, Then};
use crate::logs::Logs;

/// What all cells share: the ports, the clock, and the tasks that a stop waits for.
pub(crate) struct World {
    pub store: Arc<dyn Store>,
    pub stdio: Arc<dyn Upstreams>,
    pub remote: Arc<dyn Upstreams>,
    pub variables: Arc<dyn Variables>,
    pub planner: Arc<dyn Planner>,
    pub instance: Arc<Instance>,
    pub clock: Clock,
    /// What the instance holds for others to take.
    pub held: Arc<Account>,
    pub tasks: TaskTracker,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World(..)")
    }
}

/// Whoever begins an exchange.
pub(crate) struct Client<'a> {
    pub key: &'a KeyId,
    /// Whether an answer is wanted.
    pub asks: bool,
    /// Where the answer goes.
    pub waits: oneshot::Sender<Reply>,
}

/// One project.
#[derive(Debug)]
pub(crate) struct Cell {
    pub id: ProjectId,
    pub world: Arc<World>,
    snapshot: ArcSwap<Snapshot>,
    /// What the snapshot is built from.
    records: Mutex<Records>,
    live: Mutex<Live>,
    alarm: Notify,
    /// Entered under the lock of `live`, so that it has the order of the effects.
    pub ledger: Ledger,
    /// What is kept of the life of its servers.
    pub logs: Logs,
    /// What is kept of calls.
    pub calls: CallLog,
}

/// The records of a project.
#[derive(Debug)]
pub(crate) struct Records {
    pub project: Project,
    pub servers: Vec<Server>,
    pub definitions: Vec<Arc<Definitions>>,
    /// Not stored: it is as the configuration file says.
    pub planner: Option<Arc<PlannerSpec>>,
}

/// What the lock of a shard guards: its state, and the handles that its effects name.
pub(crate) struct Live {
    pub shard: Shard,
    pub entropy: Entropy,
    pub effects: Effects,
    pub sinks: HashMap<ExchangeId, Sink>,
    accounts: Accounts,
    /// What waits for others of its project to have had their turn, by API key.
    turns: Turns<KeyId, (ExchangeId, Input)>,
    /// Whether somebody goes through the rounds of `turns`.
    in_rounds: bool,
    pub links: HashMap<LinkId, Box<dyn UpstreamLink>>,
    /// Questions to the planner that are on their way.
    pub questions: HashMap<Token, AbortHandle>,
    /// Inputs that an effect has caused at once; taken before the lock is released.
    pub caused: Vec<Input>,
    /// How long the link that was just read is to be left alone.
    pub rest: Duration,
    /// What the timer sleeps for.
    armed: Option<Timestamp>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl Live {
    /// Begins anew: after a panic nothing of the old state can be trusted. Exchanges that wait get an error, streams
    /// end, children are killed; what is stored stays.
    fn reset(&mut self) {
        self.shard = Shard::default();
        self.effects.clear();
        self.caused.clear();
        self.links.clear();
        self.turns.clear();
        self.questions.drain().for_each(|(_, question)| question.abort());
        for (_, sink) in self.sinks.drain() {
            sink.cut();
        }
    }
}

impl Cell {
    pub(crate) fn start(
        world: &Arc<World>,
        records: Records,
        shard: Shard,
        mut entropy: Entropy,
    ) -> Arc<Self> {
        let own = (world.clock, entropy.fork());
        let logs = Logs::start(records.project.id, &world.store, &world.instance, own, &world.tasks);
        let own = (world.clock, entropy.fork());
        let calls = CallLog::start(records.project.id, &world.store, &world.instance, own, &world.tasks);
        let snapshot = Snapshot::build(draft(&records, &world.instance), None);
        let live = Live {
            shard,
            entropy,
            effects: Effects::new(),
            sinks: HashMap::new(),
            accounts: Accounts::default(),
            turns: Turns::new(world.instance.limits.key_turn),
            in_rounds: false,
            links: HashMap::new(),
            questions: HashMap::new(),
            caused: Vec::new(),
            rest: Duration::ZERO,
            armed: None,
        };
        let (ledger, entries) = Ledger::open(&world.instance.limits, records.project.id);
        let cell = Arc::new(Self {
            id: records.project.id,
            world: Arc::clone(world),
            snapshot: ArcSwap::from_pointee(snapshot),
            records: Mutex::new(records),
            live: Mutex::new(live),
            alarm: Notify::new(),
            ledger,
            logs,
            calls,
        });
        let keeper = Arc::downgrade(&cell);
        world.tasks.spawn(ledger::follow(entries, move |then, outcome| {
            if let Some(cell) = keeper.upgrade() {
                cell.settle(then, outcome);
            }
        }));
        let timer = Arc::downgrade(&cell);
        world.tasks.spawn(async move {
            while let Some(cell) = timer.upgrade() {
                cell.wait_for_deadline().await;
            }
        });
        cell
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.world.instance.limits
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the live state, for views.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a server is being seen for the first time right now.
    pub(crate) fn is_learning(&self) -> bool {
        let snapshot = self.snapshot();
        self.live().shard.is_learning(&snapshot)
    }

    /// Gives the shard an input and carries out what follows. Effects are carried out under the lock, so that two
    /// inputs' effects never change places; every one of them only queues, none waits.
    pub(crate) fn feed(self: &Arc<Self>, input: Input) {
        let mut live = self.live();
        self.feed_locked(&mut live, input);
    }

    /// The same for what was read of a link. Returns how long the link is to be left alone.
    pub(crate) fn feed_read(self: &Arc<Self>, input: Input) -> Duration {
        let mut live = self.live();
        self.feed_locked(&mut live, input);
        std::mem::take(&mut live.rest)
    }

    /// Opens an exchange and gives the shard its input in one step. What asks for an answer (`asks`) is refused while
    /// there is no room for any.
    pub(crate) fn begin(
        self: &Arc<Self>,
        exchange: ExchangeId,
        client: Client<'_>,
        input: Input,
    ) -> Result<(), Exceeded> {
        let mut live = self.live();
        let account = live.accounts.of(client.key, self.limits(), &self.world.held);
        if client.asks {
            account.has_room()?;
        }
        live.sinks.insert(exchange, Sink::undecided(client.waits, account));
        if !live.accounts.are_several() {
            self.feed_locked(&mut live, input);
        } else if let Some((_, input)) = live.turns.take(client.key, (exchange, input)) {
            self.feed_locked(&mut live, input);
        } else if !std::mem::replace(&mut live.in_rounds, true) {
            let cell = Arc::clone(self);
            self.world.tasks.spawn(async move { cell.go_round().await });
        }
        Ok(())
    }

    /// Gives everybody their turns until nobody waits.
    async fn go_round(self: Arc<Self>) {
        loop {
            // Those who are ready come first, and those whose requests have come meanwhile.
            tokio::task::yield_now().await;
            let mut live = self.live();
            for (exchange, input) in live.turns.next_round() {
                // Its client may have gone.
                if live.sinks.contains_key(&exchange) {
                    self.feed_locked(&mut live, input);
                }
            }
            live.in_rounds = live.turns.wait();
            if !live.in_rounds {
                return;
            }
        }
    }

    /// The client of an exchange has gone.
    pub(crate) fn close_exchange(self: &Arc<Self>, exchange: ExchangeId) {
        let mut live = self.live();
        let sink = live.sinks.remove(&exchange);
        self.feed_locked(&mut live, crate::exchange::closed(exchange));
        drop(live);
        // After the lock: the sink may own the other half of the exchange.
        drop(sink);
    }

    /// The planner has answered a question.
    pub(crate) fn answer_question(self: &Arc<Self>, token: Token, outcome: Result<Written, PlannerFault>) {
        let mut live = self.live();
        live.questions.remove(&token);
        self.feed_locked(&mut live, Input::PlannerAnswered { token, outcome });
    }

    fn feed_locked(self: &Arc<Self>, live: &mut Live, input: Input) {
        let snapshot = self.snapshot.load();
        let mut next = Some(input);
        while let Some(input) = next {
            self.step(live, &snapshot, input);
            next = live.caused.pop();
        }
        let deadline = live.shard.deadline().map(|deadline| deadline.at);
        if deadline.is_some_and(|at| live.armed.is_none_or(|armed| at < armed)) {
            self.alarm.notify_one();
        }
    }

    fn step(self: &Arc<Self>, live: &mut Live, snapshot: &Snapshot, input: Input) {
        let Live { shard, entropy, effects, .. } = live;
        let mut cx = Cx { now: self.world.clock.now(), snapshot, entropy, out: effects };
        // A panic is a bug of ours; it must cost this project's open work at most, never the process.
        let handled = catch_unwind(AssertUnwindSafe(|| shard.handle(&mut cx, input)));
        let carried_out =
            handled.and_then(|()| catch_unwind(AssertUnwindSafe(|| interpret::run(self, live))));
        if carried_out.is_err() {
            tracing::error!(project = %self.id, "a shard panicked: its sessions, calls and servers end");
            live.reset();
        }
    }

    /// Sleeps until the shard's next deadline, or until an earlier one is set.
    async fn wait_for_deadline(self: &Arc<Self>) {
        let deadline = {
            let mut live = self.live();
            live.armed = live.shard.deadline().map(|deadline| deadline.at);
            live.armed
        };
        let Some(deadline) = deadline else { return self.alarm.notified().await };
        let nap = deadline.since(self.world.clock.now()).max(Duration::from_millis(1));
        tokio::select! {
            () = self.alarm.notified() => {}
            () = tokio::time::sleep(nap) => self.feed(Input::TimerFired),
        }
    }
}

impl Cell {
    /// Changes the records, builds the snapshot anew and lets the shard follow.
    pub(crate) fn replace(self: &Arc<Self>, change: impl FnOnce(&mut Records)) {
        // Held throughout, so that two changes never build on the same old snapshot.
        let mut records = self.records();
        change(&mut records);
        let old = self.snapshot();
        let new = Arc::new(Snapshot::build(draft(&records, &self.world.instance), Some(&old)));
        let changes = diff(&old, &new);
        self.snapshot.store(new);
        self.feed(Input::SnapshotReplaced(changes));
    }

    /// What was learnt is served even when it could not be stored: it would only be asked for again after a restart.
    pub(crate) fn serve(self: &Arc<Self>, definitions: Definitions) {
        self.replace(|records| {
            records.definitions.retain(|known| known.server != definitions.server);
            records.definitions.push(Arc::new(definitions));
        });
    }

    /// Changes are durable, or they are not.
    fn settle(self: &Arc<Self>, then: Then, outcome: Result<(), StoreError>) {
        if let Err(error) = &outcome {
            tracing::error!(project = %self.id, %error, "a change could not be stored");
        }
        match then {
            Then::Serve(definitions) => self.serve(*definitions),
            Then::Tell(Some(token)) => {
                let outcome = outcome.map_err(|error| Unstored::from(error.kind()).into());
                self.feed(Input::Stored { token, outcome });
            }
            Then::Tell(None) => {}
        }
    }
}

fn draft(records: &Records, instance: &Arc<Instance>) -> Draft {
    Draft {
        project: records.project.clone(),
        servers: records.servers.clone(),
        definitions: records.definitions.clone(),
        instance: Arc::clone(instance),
        planner: records.planner.clone(),
    }
}
