//! The HTTP face: accept loop, routes, SSE.
