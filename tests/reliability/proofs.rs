//! All proofs.

use crate::figures::Proof;
use crate::{bombs, crashes, cuts, descriptors, floods, orphans, slow_readers, soak, stalls, stampede};

macro_rules! proofs {
    ($($row:literal $name:literal $prove:path: $about:literal;)*) => {
        pub(crate) const PROOFS: &[Proof] = &[$(Proof {
            row: $row,
            name: $name,
            about: $about,
            prove: |scale| Box::pin($prove(scale)),
        }),*];
    };
}

proofs! {
    "R7" "crashes" crashes::prove: "a server that ends in a call is told of at once, and the call is not made again";
    "R10" "floods" floods::prove: "a flood of output delays no answer and costs no memory";
    "R11" "slow-readers" slow_readers::prove: "clients that do not read cost their share of memory, and nobody else anything";
    "R12" "soak" soak::prove: "abandoned sessions cost little, and a mixed load leaves nothing";
    "R13" "stalls" stalls::prove: "connections that do not go on are dropped, and hold up nobody";
    "R15" "bombs" bombs::prove: "JSON that costs more than it weighs is refused";
    "R17" "resumed" cuts::resumed: "a session whose stream is cut at any byte misses nothing and gets nothing twice";
    "R18" "cancelled" cuts::cancelled: "a stateless call whose stream is cut is cancelled, and made once";
    "R19" "orphans" orphans::prove: "no process outlives its server or its hub";
    "R20" "stampede" stampede::prove: "a restart with many servers, bad ones and clients";
    "R26" "descriptors" descriptors::prove: "a hub with few descriptors turns clients away and recovers";
}
