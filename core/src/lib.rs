//! The sans-IO core: every rule of the hub, and no IO.
