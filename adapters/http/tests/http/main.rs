//! The HTTP face on real loopback sockets, in front of a scripted gateway.

#[cfg(test)]
mod client;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hub;

#[cfg(test)]
mod batches;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod departures;
#[cfg(test)]
mod habits;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod timers;
