//! The rules of a shard, each as a sentence. The world around it is in `world`, its clients in `clients`.

mod clients;
mod script;
mod world;

mod batches;
mod binding;
mod calls;
mod configuration;
mod endings;
mod eras;
mod habits;
mod handshake;
mod keeping;
mod links;
mod lists;
mod meant;
mod modern;
mod news;
mod parking;
mod private;
mod renewals;
mod replay;
mod resumption;
mod reverse;
mod rounds;
mod sessions;
mod sharing;
mod sse;
mod stopping;
mod subscriptions;
mod supervision;
mod table;
mod tasks;
mod unified;
mod untouched;
mod urls;
