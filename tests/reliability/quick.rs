//! The proofs of `docs/reliability.md`, with small numbers. The long run is `cargo run -p orch-tests --example
//! reliability`.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a proof that cannot go on may panic anywhere, and prints its figures"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../e2e/home.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;

mod bombs;
mod crashes;
mod cuts;
mod descriptors;
#[expect(dead_code, reason = "the command uses the rest")]
mod figures;
mod floods;
mod line;
mod orphans;
mod slow_readers;
mod soak;
mod stage;
mod stalls;
mod stampede;

use figures::Scale;

macro_rules! quick {
    ($($name:ident: $prove:path;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let _printed = $prove(Scale::Quick).await;
        })*
    };
}

quick! {
    a_server_that_ends_in_a_call_is_told_of_at_once_and_the_call_is_made_once: crashes::prove;
    a_flood_of_output_delays_no_answer_and_costs_no_memory: floods::prove;
    clients_that_do_not_read_cost_their_share_of_memory_and_nobody_else_anything: slow_readers::prove;
    abandoned_sessions_cost_little_and_a_mixed_load_leaves_nothing: soak::prove;
    connections_that_do_not_go_on_are_dropped_and_hold_up_nobody: stalls::prove;
    json_that_costs_more_than_it_weighs_is_refused: bombs::prove;
    a_session_whose_stream_is_cut_misses_nothing_and_gets_nothing_twice: cuts::resumed;
    a_stateless_call_whose_stream_is_cut_is_cancelled_and_made_once: cuts::cancelled;
    no_process_outlives_its_server_or_its_hub: orphans::prove;
    a_restart_with_bad_servers_is_no_stampede: stampede::prove;
    a_hub_with_few_descriptors_turns_clients_away_and_recovers: descriptors::prove;
}
