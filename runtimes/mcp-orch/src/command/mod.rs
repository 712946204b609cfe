//! The commands beside `serve`, each in a file.

pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod client_config;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod order;
pub(crate) mod plan;
