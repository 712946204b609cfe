//! The store port on redb, with group commit.
