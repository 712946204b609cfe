//! The cases of the comparison: how many sessions, how much in flight, how large.

use crate::load::{Era, Plan, Shape};
use crate::target::Running;

const LARGE: usize = 256 * 1024;

/// What is the same for a name whatever it is run against.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
}

const ONE_BY_FOUR: Shape =
    Shape { era: Era::Session, sessions: 1, in_flight: 4, text_bytes: 64, pad_bytes: 0 };

const fn small(name: &'static str, era: Era, sessions: usize, in_flight: usize) -> Case {
    sized(name, Shape { era, sessions, in_flight, text_bytes: 64, pad_bytes: 0 })
}

const fn sized(name: &'static str, shape: Shape) -> Case {
    Case { name, shape }
}

/// Those with many sessions last: what they leave in memory would be counted with the others.
pub(crate) const CASES: [Case; 9] = [
    small("a", Era::Session, 1, 1),
    small("b", Era::Session, 1, 32),
    small("c", Era::Session, 32, 4),
    sized("d", Shape { pad_bytes: LARGE, ..ONE_BY_FOUR }),
    sized("e", Shape { text_bytes: LARGE, ..ONE_BY_FOUR }),
    sized("f", Shape { text_bytes: LARGE, in_flight: 16, ..ONE_BY_FOUR }),
    small("m", Era::Stateless, 32, 4),
    small("s", Era::Sse, 8, 4),
    small("k", Era::Session, 1000, 1),
];

impl Case {
    /// The load of this case; `None` if the target does not speak its era.
    pub(crate) fn plan(&self, target: &Running, quick: bool) -> Option<Plan> {
        let shape = self.shape;
        let sessions = if quick { shape.sessions.min(20) } else { shape.sessions };
        let (warm_up_ms, measured_ms) = if quick { (20, 100) } else { (500, 2_500) };
        Some(Plan {
            address: target.address,
            key: target.key.clone(),
            endpoint: target.endpoint(shape.era)?.to_owned(),
            tool: target.tool.clone(),
            shape: Shape { sessions, ..shape },
            warm_up_ms,
            measured_ms,
        })
    }
}
