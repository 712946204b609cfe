//! What stands before a connection is served: room for it, and patience when the machine has none.

use orch_core::{Exceeded, Fault, Limit, Limits};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// The pauses after failed accepts: doubled each time, over with the first success.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LAST: Duration = Duration::from_secs(1);

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to wait before the next accept. An error of the one connection that was not accepted is no
    /// reason to wait; being out of descriptors or memory is.
    pub(crate) fn failed(&mut self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind()) {
            return Duration::ZERO;
        }
        let pause = Self::FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(Self::LAST);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// The connections that there may be at a time, in all and from one address.
#[derive(Debug)]
pub(crate) struct Seats {
    limits: Arc<Limits>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    pub(crate) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A seat, or the bound that leaves none.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Exceeded> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_address.get(&address).copied().unwrap_or_default();
        for (count, limit) in
            [(taken.all, self.limits.connections), (here, self.limits.connections_per_address)]
        {
            if count >= limit {
                let value = u64::try_from(limit).unwrap_or(u64::MAX);
                return Err(Exceeded {
                    limit: Limit::Connections,
                    value,
                    hint: "too many connections, try again later",
                });
            }
        }
        taken.all = taken.all.saturating_add(1);
        taken.by_address.insert(address, here.saturating_add(1));
        drop(taken);
        Ok(Seat { seats: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(here) = taken.by_address.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// Answers 503 and closes, at once: whoever does not read it is not waited for.
pub(crate) fn turn_away(stream: TcpStream, exceeded: Exceeded) -> io::Result<()> {
    let body = Fault::from(exceeded).frame(None);
    let mut answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
         content-type: application/json\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
         cross-origin-resource-policy: same-origin\r\ncache-control: no-store\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    let mut stream = stream.into_std()?;
    stream.write_all(&answer)?;
    // What has come already is taken, or the close would be a reset and the answer lost.
    stream.read(&mut [0; 4096]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_50_ms_to_1_s_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let full = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..7).map(|_| backoff.failed(&full).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(&full).as_millis(), 50);
    }

    #[test]
    fn a_connection_that_went_away_before_it_was_accepted_costs_no_pause() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.failed(&io::ErrorKind::ConnectionAborted.into()), Duration::ZERO);
        assert_eq!(backoff.failed(&io::Error::from_raw_os_error(24)).as_millis(), 50);
    }

    #[test]
    fn seats_are_counted_in_all_and_by_address_and_given_back() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let seats = Seats::new(Arc::new(limits));
        let [a, b, c]: [IpAddr; 3] = ["10.0.0.1", "10.0.0.2", "::1"].map(|text| text.parse().unwrap());
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let value = |result: Result<Seat, Exceeded>| result.map(drop).map_err(|exceeded| exceeded.value);

        let first = seats.take(a).unwrap();
        let second = seats.take(mapped).unwrap();
        assert_eq!(value(seats.take(a)), Err(2), "an IPv4 address is one however it is written");
        let third = seats.take(b).unwrap();
        assert_eq!(value(seats.take(c)), Err(3));
        drop(first);
        assert_eq!(value(seats.take(a)), Ok(()));
        drop((second, third));
        assert!(seats.taken.lock().unwrap().by_address.is_empty(), "an address that left is forgotten");
    }
}
