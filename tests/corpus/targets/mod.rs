//! The fuzz targets: for each, what must hold for any input. libFuzzer looks for inputs (`fuzz/`, whose library is
//! this file), and the `corpus` test replays the ones that were kept.

mod choices;
pub mod config;
pub mod cursor;
pub mod envelope;
pub mod framer;
pub mod gate;
pub mod headers;
pub mod key;
pub mod oauth;
pub mod plan;
pub mod planner;
pub mod record;
pub mod session;
pub mod shard;
pub mod sse;
pub mod supervisor;
pub mod translate;
