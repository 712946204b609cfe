//! The ports: traits that the core's surroundings implement (driven side) or call (driving side).
//!
//! A port speaks records, ids and bytes, never a technology's types. Object-safe, so that a runtime can choose
//! the implementation when it starts.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;

pub mod gateway;
pub mod passes;
pub mod planner;
pub mod store;
pub mod upstream;
pub mod variables;
pub mod web;

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
