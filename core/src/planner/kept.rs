//! Plans that were made of goals: who asks the same again gets the same plan, as long as tools and planner are the same.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use sha2::{Digest, Sha256};

use super::{Catalogue, PlannerSpec};
use crate::{KeyId, Limits};

/// What a plan is kept under.
pub(crate) type Name = [u8; 32];

/// The plans of one project.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    plans: BTreeMap<Name, String>,
    /// The oldest first.
    order: VecDeque<Name>,
    bytes: usize,
}

/// The name of a goal's plan. What the model of a client has written is for the client's key alone: another one's calls are
/// made with other rights, and what that model writes is the client's word.
pub(crate) fn name(goal: &str, tools: &Catalogue<'_>, by: Result<&PlannerSpec, &KeyId>) -> Name {
    let policy = match by {
        Ok(spec) => spec.policy(),
        Err(key) => alloc::format!("client {}", key.0),
    };
    let mut hash = Sha256::new();
    hash.update(tools.digest());
    for part in [policy.trim(), goal.trim()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl Kept {
    /// The plan that was kept under a name.
    pub(crate) fn get(&self, name: &Name) -> Option<&str> {
        self.plans.get(name).map(String::as_str)
    }

    /// Keeps a plan.
    pub(crate) fn insert(&mut self, name: Name, plan: String, limits: &Limits) {
        let limits = &limits.planner;
        self.remove(&name);
        if plan.len() > limits.kept_bytes {
            return;
        }
        self.bytes = self.bytes.saturating_add(plan.len());
        self.plans.insert(name, plan);
        self.order.push_back(name);
        while self.plans.len() > limits.kept_plans || self.bytes > limits.kept_bytes {
            let Some(oldest) = self.order.front().copied() else { return };
            self.remove(&oldest);
        }
    }

    /// Forgets a plan.
    pub(crate) fn remove(&mut self, name: &Name) {
        if let Some(plan) = self.plans.remove(name) {
            self.bytes = self.bytes.saturating_sub(plan.len());
            self.order.retain(|kept| kept != name);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::limits::PlannerLimits;
    use crate::planner::{Provider, Tool};

    #[test]
    fn the_oldest_plan_makes_room_by_number_and_by_bytes() {
        let planner = PlannerLimits { kept_plans: 2, kept_bytes: 10, ..PlannerLimits::default() };
        let limits = Limits { planner, ..Limits::default() };
        let mut kept = Kept::default();
        for (name, plan) in [(1, "aa"), (2, "bb"), (1, "cc"), (3, "dd")] {
            kept.insert([name; 32], plan.into(), &limits);
        }
        assert_eq!([1, 2, 3].map(|name| kept.get(&[name; 32])), [Some("cc"), None, Some("dd")]);
        kept.insert([4; 32], "123456789".into(), &limits);
        assert_eq!([1, 3, 4].map(|name| kept.get(&[name; 32])), [None, None, Some("123456789")]);
        kept.insert([5; 32], "longer than all".into(), &limits);
        assert_eq!((kept.get(&[5; 32]), kept.get(&[4; 32])), (None, Some("123456789")));
    }

    #[test]
    fn another_goal_catalogue_planner_or_key_has_another_plan() {
        let tools = Catalogue::new(Vec::from([Tool { name: "a.b", definition: "{}" }]));
        let none = Catalogue::new(Vec::new());
        let spec = |model| PlannerSpec::new(Provider::OpenAi { url: None, key: None }, model);
        let keys = ["k1", "k2"].map(|key| KeyId(key.into()));
        let names = [
            name("g", &tools, Ok(&spec("m"))),
            name("h", &tools, Ok(&spec("m"))),
            name("g", &none, Ok(&spec("m"))),
            name("g", &tools, Ok(&spec("n"))),
            name("g", &tools, Err(&keys[0])),
            name("g", &tools, Err(&keys[1])),
        ];
        for (at, one) in names.iter().enumerate() {
            assert!(names[at + 1..].iter().all(|other| other != one), "{at}");
        }
        assert_eq!(names[0], name(" g\n", &tools, Ok(&spec("m"))));
    }
}
