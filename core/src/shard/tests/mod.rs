//! The rules of a shard, each as a sentence. The world around it is in `world`, its clients in `clients`.

mod clients;
mod script;
mod world;

mod batches;
mod calls;
mod configuration;
mod endings;
mod eras;
mod habits;
mod handshake;
mod keeping;
mod links;
mod lists;
mod modern;
mod news;
mod parking;
mod renewals;
mod replay;
mod resumption;
mod reverse;
mod rounds;
mod sessions;
mod sharing;
mod sse;
mod subscriptions;
mod table;
mod task_news;
mod tasks;
mod unified;
mod untouched;
mod urls;
