//! The hub: serve, keys, list-servers, list-tools, call, check, client-config, doctor.
