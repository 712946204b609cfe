//! Child processes that speak MCP over stdio.
