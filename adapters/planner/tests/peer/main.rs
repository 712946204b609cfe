//! The adapter against an HTTP server that plays each provider: it looks at what it gets, and answers in the recorded shapes.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what does not hold in a test ends it")]

mod failures;
mod providers;
mod server;
mod signature;
