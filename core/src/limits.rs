//! Every bound of the hub: a named field with its unit and its default.
//!
//! A bound that is hit is answered with its name ([`Limit`]), so that an operator knows what to raise.

use core::time::Duration;

use serde::Deserialize;

mod defaults;
mod name;
mod planner;

pub use name::Limit;
pub use planner::PlannerLimits;

/// The bounds. One value for a whole instance; it never changes while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The longest request body, in bytes.
    pub body_bytes: usize,
    /// The longest message of an upstream, in bytes.
    pub message_bytes: usize,
    /// How deep JSON may be nested.
    pub json_depth: usize,
    /// Members of one JSON object, and elements of one array.
    pub json_members: usize,
    /// Values in one client's message.
    pub json_nodes: usize,
    /// Values in one upstream's message.
    pub upstream_json_nodes: usize,
    /// Digits of one JSON number.
    pub number_digits: usize,
    /// Messages of one JSON-RPC batch.
    pub batch_members: usize,
    /// Requests of one session that are waiting for their answer.
    pub session_in_flight: usize,
    /// Requests of one project that are waiting for their answer.
    pub project_in_flight: usize,
    /// Bytes of the requests that one upstream has not answered.
    pub link_in_flight_bytes: usize,
    /// Bytes that may wait to be written to one upstream.
    pub link_queue_bytes: usize,
    /// Bytes of events that may wait for one slow client.
    pub stream_bytes: usize,
    /// Bytes that the hub holds at the same time for others to take: answers and events for clients, requests, frames for
    /// servers.
    pub held_bytes: usize,
    /// The same of the answers and events for the clients of one API key.
    pub held_key_bytes: usize,
    /// A message this short goes to a client that has taken all before it, whatever else is held.
    pub held_small_bytes: usize,
    /// Messages of one API key that a project takes in a turn, where it is used with several: what comes faster waits until
    /// those of other keys that are there have had theirs.
    pub key_turn: usize,
    /// Streams that one session may hold open.
    pub session_streams: usize,
    /// Streams of one session that are kept for a client that comes back; more cannot be resumed.
    pub replay_streams: usize,
    /// Events that are kept of one stream.
    pub replay_events: usize,
    /// Bytes of the events that are kept of one stream.
    pub replay_bytes: usize,
    /// Bytes of the events that are kept of all streams of one project.
    pub replay_project_bytes: usize,
    /// How long an event is kept, and a stream after its end.
    pub replay_age: Duration,
    /// Resources that one session or stream may be subscribed to.
    pub subscriptions: usize,
    /// Bytes that the subscriptions of one project take, with 128 for each beside its names. No key takes more than is left for others.
    pub subscription_bytes: usize,
    /// URIs that results have shown on the unified endpoint, and that lead to their server; the one used longest ago
    /// makes room.
    pub shown_uris: usize,
    /// Bytes of those URIs.
    pub shown_uri_bytes: usize,
    /// Sessions of one project; of the key that has most of them, the one idle longest makes room.
    pub project_sessions: usize,
    /// Changes of one project that wait for the store. All its sessions may end at once.
    pub store_queue: usize,
    /// Servers of one project.
    pub project_servers: usize,
    /// Memory of one process of a server, in MiB. This and the next three hold where the server is confined.
    pub server_memory_mib: u32,
    /// Processes and threads of a server.
    pub server_processes: u32,
    /// Open files of one process of a server.
    pub server_open_files: u32,
    /// The longest file that a server writes, in MiB.
    pub server_file_size_mib: u32,
    /// Definitions of one kind (tools, prompts, ...) of one server.
    pub definitions: usize,
    /// Bytes of one definition.
    pub definition_bytes: usize,
    /// Pages that are read of one list of an upstream.
    pub list_pages: usize,
    /// Entries of one page of a list that the hub answers.
    pub page_entries: usize,
    /// Length of a unified tool or prompt name on the wire.
    pub unified_name_bytes: usize,
    /// Servers of one project that may be starting at the same time.
    pub starting: usize,
    /// Processes of one server, or sessions with a remote one, that serve a session or a key of their own.
    pub private_processes: usize,
    /// How long such a process must be unused to make room for another.
    pub private_spare: Duration,
    /// How long a process, or a session with a remote server, may be unused before it is ended. A server's own
    /// `idleTimeout` goes before; the processes of those for whom it says "never" end so, if they serve somebody alone.
    pub idle: Duration,
    /// What servers may have asked one session without an answer.
    pub session_questions: usize,
    /// Bytes of what a client says of itself and that it can do when it opens a session.
    pub client_bytes: usize,
    /// Bytes of the names of the resources of which one session or stream hears.
    pub session_bytes: usize,
    /// Bytes of the instructions of servers that the unified endpoint repeats.
    pub instructions_bytes: usize,
    /// How long a session may be idle without an open stream.
    pub session_idle: Duration,
    /// Bytes of one plan of `batch_execute`.
    pub plan_bytes: usize,
    /// Steps of one plan.
    pub plan_steps: usize,
    /// Steps of one plan that wait for one another in a chain.
    pub plan_depth: usize,
    /// Bytes of tools' schemas that are read to check the literal arguments of one plan; what goes beyond is for the servers to
    /// judge.
    pub plan_schema_bytes: usize,
    /// Calls of one plan that may be under way at the same time.
    pub plan_parallel: usize,
    /// How often one step of a plan may be tried.
    pub step_attempts: u32,
    /// The longest first pause before a step is tried again; doubled each time.
    pub step_backoff: Duration,
    /// Calls of one run of a plan, those for the elements of arrays counted each.
    pub run_calls: usize,
    /// Bytes of the results that one run keeps.
    pub run_bytes: usize,
    /// Bytes of those results that are stored, so that the run can go on when the hub is started again; results beyond are
    /// kept only while the hub runs.
    pub run_stored_bytes: usize,
    /// Bytes that one run keeps of the words of failures beyond what it may keep.
    pub run_words_bytes: usize,
    /// Bytes of results that are read for the values of one call of a step, of one `for_each`, or of one output.
    pub step_read_bytes: usize,
    /// Bytes that are read and written for the calls of runs of one project in a turn: what goes beyond waits until others have
    /// had theirs.
    pub run_turn_bytes: usize,
    /// How long a run may take.
    pub run_deadline: Duration,
    /// How long the results of a run can be read after its end.
    pub run_kept: Duration,
    /// The longest output of a run that goes to its caller whole, in bytes; of a longer one a beginning and a handle.
    pub run_output_bytes: usize,
    /// Runs of one project that have not ended.
    pub project_runs: usize,
    /// Calls of all runs of one project that may be under way at the same time.
    pub project_run_calls: usize,
    /// Bytes of plans and results that all runs of one project keep; of the key that has most the run that ended first makes
    /// room, and while those that have not ended take it all, none begins.
    pub project_run_bytes: usize,
    /// How long a call may take when nothing is heard of it.
    pub call: Duration,
    /// How long a call may take however much progress it reports.
    pub call_hard: Duration,
    /// How often a call may be sent again to a new process of its server, within its own time, when nobody knows what
    /// became of it: only one whose tool declares `idempotentHint`, or that carries an idempotency key.
    pub call_repeats: u32,
    /// The longest idempotency key, and the longest name that a server of 2025 can give to a question, in bytes.
    pub idempotency_key_bytes: usize,
    /// Answers that are kept under idempotency keys in one project; the oldest makes room.
    pub kept_answers: usize,
    /// Bytes of those answers and their requests.
    pub kept_answer_bytes: usize,
    /// How long such an answer is kept.
    pub kept_answer_age: Duration,
    /// How long `tasks/result` may take when nothing is heard of it: it is answered when its task ends.
    pub task_result: Duration,
    /// Bytes of what is remembered of the tasks that clients of a project have begun at servers; the oldest makes room.
    pub begun_task_bytes: usize,
    /// How long such a task is remembered, if its `ttl` is not shorter, and waited for while something is heard of it.
    pub begun_task_age: Duration,
    /// Streams of clients that one server tells of tasks.
    pub task_streams: usize,
    /// How long a server may take to say whether it speaks the stateless era, before it is greeted in the old way.
    pub probe: Duration,
    /// How long it is remembered that a server does not speak the stateless era.
    pub verdict: Duration,
    /// How often a server may ask for more input before it answers one call.
    pub input_rounds: u32,
    /// How long more questions of a server are waited for, before a client of the stateless era is shown them.
    pub gather: Duration,
    /// How long a client of the stateless era may take to come back with what a server has asked for.
    pub parked: Duration,
    /// How long a list or a handshake of the unified endpoint waits for servers that were never seen.
    pub discover_wait: Duration,
    /// How long a server may take for one of its lists before it is asked for the others beside it, and as long again before these
    /// are shown without it.
    pub list_wait: Duration,
    /// How long a POST waits for its first message before its answer becomes a stream.
    pub first_message: Duration,
    /// Bursts of list changes within this span are reported once.
    pub debounce: Duration,
    /// How old the lists may be of a server that does not tell when they change, before it is asked for them again because a client
    /// wants them.
    pub list_age: Duration,
    /// How long a list may be served from a client's cache (`ttlMs`).
    pub list_ttl: Duration,
    /// The first pause before a failed server is started again; doubled with each failure.
    pub backoff_first: Duration,
    /// The longest such pause.
    pub backoff_last: Duration,
    /// A server that ran this long starts with the first pause again.
    pub backoff_reset: Duration,
    /// How many failures within `crash_span` it takes until a server's process is left alone.
    pub crash_failures: usize,
    /// See `crash_failures`.
    pub crash_span: Duration,
    /// How long it is left alone before it is tried again.
    pub crash_probe: Duration,
    /// How many times within `renewal_span` a remote server that has forgotten its session gets another at once. After
    /// that, what it refuses is answered with its own words.
    pub renewals: usize,
    /// See `renewals`.
    pub renewal_span: Duration,
    /// How long the name of a remote server may take to be resolved.
    pub remote_dns: Duration,
    /// How long a connection to a remote server may take, to whichever of its addresses.
    pub remote_connect: Duration,
    /// How long a TLS handshake with a remote server may take.
    pub remote_tls: Duration,
    /// Requests of clients that one remote server is asked at the same time; one key alone has half of them.
    pub remote_in_flight: usize,
    /// How long a remote server may take over a message that wants no answer.
    pub remote_notice: Duration,
    /// How long what is said to a remote server after such a message waits for it to be taken.
    pub remote_order: Duration,
    /// How long the first requests to a remote server of the 2025 revisions wait for the stream of its news: what it says there
    /// before that is lost.
    pub remote_news: Duration,
    /// How many times in a row a broken stream of a remote server is asked for again.
    pub remote_resumes: u32,
    /// The first pause before that, when the server asks for none; doubled each time.
    pub remote_retry_first: Duration,
    /// The longest such pause.
    pub remote_retry_last: Duration,
    /// How long an idle connection to a remote server is kept for the next request. Node ends idle connections after
    /// 5 s, and a request that meets that end is lost.
    pub remote_idle: Duration,
    /// How long the stream of a request to a remote server may stay open after its answer.
    pub remote_linger: Duration,
    /// How long a remote server may take to hear that its session is over.
    pub remote_farewell: Duration,
    /// Bytes a second that one server may say that nobody has asked for: notifications, requests, answers to nothing. A second's
    /// worth may come at once; what comes faster is read later.
    pub unasked_rate_bytes: usize,
    /// How long one exchange with an authorization server may take, connection included.
    pub login_exchange: Duration,
    /// The longest answer of an authorization server, and the longest metadata, in bytes.
    pub login_answer_bytes: usize,
    /// How long somebody may take to log in.
    pub login_wait: Duration,
    /// How long before its end a token is renewed.
    pub login_early: Duration,
    /// The pause after a renewal that an authorization server did not answer.
    pub login_retry: Duration,
    /// How often more rights may be asked for that a server does not find enough, before it is said that this leads nowhere.
    pub login_steps: u32,
    /// The longest text of one log entry, in bytes; more is cut off.
    pub log_entry_bytes: usize,
    /// Bytes of entries a second that are kept of one server.
    pub log_rate_bytes: usize,
    /// Bytes of entries of one project that wait to be written; half of them are written at once.
    pub log_buffer_bytes: usize,
    /// How long an entry waits for others to be written with.
    pub log_flush: Duration,
    /// How long an entry is kept.
    pub log_age: Duration,
    /// Entries that are kept of one project; the oldest make room.
    pub log_entries: usize,
    /// Bytes of the entries that are kept of one project; the oldest make room.
    pub log_bytes: usize,
    /// Calls of one project that wait to be written; half of them are written at once, and more are dropped and counted.
    pub call_buffer: usize,
    /// How long what is known of a call is kept.
    pub call_age: Duration,
    /// Bytes of what is kept of the calls of one project; the oldest make room.
    pub call_bytes: usize,
    /// From a closed stdin to SIGTERM.
    pub stop_stdin: Duration,
    /// From SIGTERM to SIGKILL.
    pub stop_term: Duration,
    /// How long a hub that starts waits for its store and its port, where what a killed one has left still has them: a process
    /// that it had just begun has all of its files, until it runs a program of its own.
    pub succession: Duration,
    /// How long calls may go on when their server is removed, or the hub was told to stop (`--drain-seconds`).
    pub drain: Duration,
    /// From a connection's start to its first byte, and from the first byte of a head to its end.
    pub head: Duration,
    /// What a connection that has brought nothing yet is given for its first request when the hub stops.
    pub first_request: Duration,
    /// The longest pause within a body.
    pub body_idle: Duration,
    /// From the first to the last byte of a body.
    pub body_total: Duration,
    /// The least rate of a body, in bytes a second.
    pub body_rate: u64,
    /// How long a body may be slower than that.
    pub body_rate_after: Duration,
    /// How long an idle connection is kept for the next request.
    pub keep_alive: Duration,
    /// How long a client may let a write wait.
    pub write_stall: Duration,
    /// Bytes of one connection that the system may hold unsent. The hub would not know of them.
    pub unsent_bytes: u32,
    /// The pause between two comments on a stream that has nothing to say.
    pub sse_comment: Duration,
    /// The pause that a client is asked to make before it opens a lost stream again.
    pub sse_retry: Duration,
    /// Connections at the same time.
    pub connections: usize,
    /// Connections at the same time from one address.
    pub connections_per_address: usize,
    /// The longest request head, in bytes.
    pub head_bytes: usize,
    /// Header fields of one request.
    pub header_fields: usize,
    /// The longest request target, in bytes.
    pub uri_bytes: usize,
    /// Of goals in words.
    pub planner: PlannerLimits,
}
