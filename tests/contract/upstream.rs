//! The contract of the upstream port.
//!
//! Each rule is a function of any adapter's [`Peers`], and a test on every one.

use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{CloseReason, Grace, QueueFull};

use crate::link::{Event, Link};
use crate::peers::{Peer, Peers, StdioPeers};
use crate::remote::RemotePeers;

const NOW: Grace = Grace { stdin: Duration::ZERO, term: Duration::ZERO };
const LONG: Grace = Grace { stdin: Duration::from_secs(100), term: Duration::from_secs(100) };

macro_rules! rules {
    (everywhere { $($rule:ident)* } stdio { $($own:ident)* }) => {
        mod stdio {
            $(#[test] fn $rule() { super::$rule(&super::StdioPeers::new()); })*
            $(#[test] fn $own() { super::$own(&super::StdioPeers::new()); })*
        }
        mod http_and_sse {
            $(#[test] fn $rule() { super::$rule(&super::RemotePeers::new()); })*
        }
    };
}

// A remote server owes a notification no answer, so a link need not wait for one before it ends.
rules! {
    everywhere {
        opened_is_the_first_thing_that_a_link_says
        a_link_that_cannot_be_opened_says_only_why
        messages_arrive_whole_and_in_order
        what_is_sent_before_the_link_is_open_is_sent
        large_messages_pipelined_both_ways_never_hang
        a_peer_that_reads_nothing_fills_the_queue_and_holds_up_nobody
        a_queue_that_was_full_takes_messages_again
        everything_that_was_said_is_received_before_the_end
        a_message_over_the_bound_ends_the_link_after_the_ones_before_it
        closed_is_said_once_whatever_ends_a_link
        a_link_that_was_closed_takes_messages_and_forgets_them
    }
    stdio {
        what_was_sent_before_a_graceful_close_is_written
    }
}

fn open(peers: &dyn Peers, peer: Peer) -> Link {
    Link::open(peers.upstreams(), peers.launch(peer))
}

/// A message of 256 KiB.
fn large(peers: &dyn Peers) -> Bytes {
    let text = "x".repeat(256 * 1024 - peers.message("\"\"").len());
    peers.message(&format!("\"{text}\""))
}

fn opened_is_the_first_thing_that_a_link_says(peers: &dyn Peers) {
    for peer in [Peer::Counter, Peer::Echo, Peer::Deaf] {
        assert_eq!(open(peers, peer).event(), Event::Opened, "{peer:?}");
    }
}

fn a_link_that_cannot_be_opened_says_only_why(peers: &dyn Peers) {
    let link = open(peers, Peer::Missing);
    assert!(matches!(link.event(), Event::Closed(CloseReason::NotStarted(words)) if !words.is_empty()));
}

fn messages_arrive_whole_and_in_order(peers: &dyn Peers) {
    let mut link = open(peers, Peer::Echo);
    let message = |number| peers.message(&format!("{{\"number\":{number},\"text\":\"\u{2028} 🧰\"}}"));
    for number in 0..10_000 {
        link.send(message(number)).unwrap();
    }
    for number in 0..10_000 {
        assert_eq!(link.message(), message(number));
    }
}

fn what_is_sent_before_the_link_is_open_is_sent(peers: &dyn Peers) {
    for _ in 0..10 {
        let mut link = open(peers, Peer::Echo);
        link.send(peers.message("{}")).unwrap();
        assert_eq!(link.message(), peers.message("{}"));
    }
}

fn large_messages_pipelined_both_ways_never_hang(peers: &dyn Peers) {
    let mut link = open(peers, Peer::Echo);
    let message = large(peers);
    for _ in 0..20 {
        for _ in 0..4 {
            link.send(message.clone()).unwrap();
        }
        for _ in 0..4 {
            assert_eq!(link.message(), message);
        }
    }
}

fn a_peer_that_reads_nothing_fills_the_queue_and_holds_up_nobody(peers: &dyn Peers) {
    let (deaf, mut echo) = (open(peers, Peer::Deaf), open(peers, Peer::Echo));
    let message = large(peers);
    let accepted = (0..1000).take_while(|_| deaf.send(message.clone()).is_ok()).count();
    assert!((15..=32).contains(&accepted), "{accepted} messages of 256 KiB for a queue of 4 MiB");
    assert_eq!(deaf.send(message), Err(QueueFull));
    echo.send(peers.message("{}")).unwrap();
    assert_eq!(echo.message(), peers.message("{}"));
    deaf.close(NOW);
    assert_eq!(deaf.rest().1, CloseReason::Stopped);
}

fn a_queue_that_was_full_takes_messages_again(peers: &dyn Peers) {
    let link = open(peers, Peer::Silent);
    let message = large(peers);
    for _ in 0..100 {
        let sent = (0..3000).any(|_| {
            let taken = link.send(message.clone()).is_ok();
            if !taken {
                std::thread::sleep(Duration::from_millis(10));
            }
            taken
        });
        assert!(sent, "the peer reads, the queue stays full");
    }
}

fn everything_that_was_said_is_received_before_the_end(peers: &dyn Peers) {
    let (messages, reason) = open(peers, Peer::Counter).rest();
    assert!(messages.iter().eq((1..=10_000).map(|number| number.to_string()).collect::<Vec<_>>().iter()));
    assert!(!matches!(reason, CloseReason::Stopped | CloseReason::NotStarted(_)), "{reason:?}");
}

fn a_message_over_the_bound_ends_the_link_after_the_ones_before_it(peers: &dyn Peers) {
    let end = open(peers, Peer::Longwinded).rest();
    assert_eq!(end, (vec![Bytes::from_static(b"first")], CloseReason::MessageTooLong));
}

fn closed_is_said_once_whatever_ends_a_link(peers: &dyn Peers) {
    let mut dropped = open(peers, Peer::Deaf);
    dropped.drop_end();
    let (closed, hurried, ended) =
        (open(peers, Peer::Echo), open(peers, Peer::Deaf), open(peers, Peer::Counter));
    closed.close(LONG);
    closed.close(LONG);
    hurried.close(LONG);
    hurried.close(NOW);
    for link in [&dropped, &closed, &hurried] {
        assert_eq!(link.rest().1, CloseReason::Stopped);
    }
    ended.rest();
    ended.close(NOW);
    open(peers, Peer::Missing).rest();
}

fn what_was_sent_before_a_graceful_close_is_written(peers: &dyn Peers) {
    let mut link = open(peers, Peer::Echo);
    assert_eq!(link.event(), Event::Opened);
    for number in 0..1000 {
        link.send(number.to_string()).unwrap();
    }
    link.close(LONG);
    link.drop_end();
    let (messages, reason) = link.rest();
    assert_eq!((messages.len(), reason), (1000, CloseReason::Stopped));
}

fn a_link_that_was_closed_takes_messages_and_forgets_them(peers: &dyn Peers) {
    let link = open(peers, Peer::Echo);
    link.close(NOW);
    link.rest();
    let message = Bytes::from(vec![b'x'; 1 << 20]);
    assert!((0..100).all(|_| link.send(message.clone()).is_ok()));
}
