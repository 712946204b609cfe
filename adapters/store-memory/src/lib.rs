//! The store port in memory: the executable specification.
