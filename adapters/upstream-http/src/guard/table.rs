//! What an address is for, when it is not for servers of the public Internet (IANA's special-purpose registries).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A use that keeps an address from being a public one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// The machine itself.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// Documentation, benchmarks, old plans.
    Reserved,
    /// This link only, or the metadata service of a cloud: whoever reaches it takes the machine's credentials.
    Local,
    /// No single host: unspecified, multicast, broadcast, future use.
    Unusable,
}

use Class::{Local, Loopback, Private, Reserved, Unusable};

/// Prefixes of IPv4, the more particular ones first.
const V4: [([u8; 4], u32, Class); 17] = [
    ([100, 100, 100, 200], 32, Local),
    ([192, 0, 0, 192], 32, Local),
    ([0, 0, 0, 0], 8, Unusable),
    ([10, 0, 0, 0], 8, Private),
    ([100, 64, 0, 0], 10, Private),
    ([127, 0, 0, 0], 8, Loopback),
    ([169, 254, 0, 0], 16, Local),
    ([172, 16, 0, 0], 12, Private),
    ([192, 0, 0, 0], 24, Reserved),
    ([192, 0, 2, 0], 24, Reserved),
    ([192, 88, 99, 0], 24, Reserved),
    ([192, 168, 0, 0], 16, Private),
    ([198, 18, 0, 0], 15, Reserved),
    ([198, 51, 100, 0], 24, Reserved),
    ([203, 0, 113, 0], 24, Reserved),
    ([224, 0, 0, 0], 4, Unusable),
    ([240, 0, 0, 0], 4, Unusable),
];

/// Prefixes of IPv6, the more particular ones first.
const V6: [(Ipv6Addr, u32, Class); 11] = [
    (Ipv6Addr::UNSPECIFIED, 128, Unusable),
    (Ipv6Addr::LOCALHOST, 128, Loopback),
    (Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), 128, Local),
    (Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254), 128, Local),
    (Ipv6Addr::new(0x0100, 0, 0, 0, 0, 0, 0, 0), 64, Reserved),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32, Reserved),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reserved),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Local),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Unusable),
];

impl Class {
    /// Whether no list can allow it.
    pub(crate) fn is_final(self) -> bool {
        self >= Local
    }

    /// Why an address is special; `None` for a public one. Of several reasons, the strictest.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// What such an address is, for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Loopback => "a loopback address",
            Private => "a private address",
            Reserved => "a reserved address",
            Local => "a link-local or metadata address",
            Unusable => "not the address of a server",
        }
    }
}

/// Whether `address` begins with the first `bits` bits of `prefix`. Both are of one family, widened to the left.
pub(crate) fn covers(prefix: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (differing, width) = match (prefix, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits() ^ other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differing.checked_shr(width - bits.min(width)).unwrap_or(0) == 0
}

fn of_v4(address: Ipv4Addr) -> Option<Class> {
    let mut rows = V4.iter();
    rows.find(|(prefix, bits, _)| covers((*prefix).into(), *bits, address.into())).map(|row| row.2)
}

fn of_v6(address: Ipv6Addr) -> Option<Class> {
    let mut rows = V6.iter();
    let own = rows.find(|(prefix, bits, _)| covers((*prefix).into(), *bits, address.into())).map(|row| row.2);
    own.or_else(|| embedded(address).into_iter().flatten().filter_map(of_v4).max())
}

/// The IPv4 addresses that an IPv6 address stands for: a packet to it may end at one of them.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bits = address.to_bits();
    match address.segments() {
        // Mapped, compatible, and the well-known prefix of NAT64.
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => [Some(last_four(bits)), None],
        // NAT64 of a network's own: the address stands at the end, or around the reserved octet (RFC 6052). Where it
        // does not stand there are zeros.
        [0x64, 0xff9b, 1, ..] => {
            let around = last_four((bits >> 48) & 0xffff_0000 | (bits >> 40) & 0xffff);
            let (end, zeros) = (last_four(bits), |it: &Ipv4Addr| it.to_bits() >> 24 == 0);
            [Some(end).filter(|it| !zeros(it) || zeros(&around)), Some(around).filter(|it| !zeros(it))]
        }
        // 6to4.
        [0x2002, ..] => [Some(last_four(bits >> 80)), None],
        // Teredo: the server, and the client with its bits turned.
        [0x2001, 0, ..] => [Some(last_four(bits >> 64)), Some(last_four(!bits))],
        _ => [None, None],
    }
}

fn last_four(bits: u128) -> Ipv4Addr {
    let [.., a, b, c, d] = bits.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}
