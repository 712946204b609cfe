//! Command line, environment and mcp-config.json, parsed once into checked types.

pub mod file;
