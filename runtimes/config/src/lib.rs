//! What a user writes (command line, environment, mcp-config.json), parsed once into checked types.

pub mod cli;
pub mod client_config;
pub mod environment;
pub mod file;
pub mod limits;
pub mod watch;

#[cfg(test)]
mod documentation;
