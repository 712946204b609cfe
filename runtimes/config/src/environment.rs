//! The environment of the process. It is read here, and by clap for the `ORCH_...` variables of the flags: nowhere else.

use std::ffi::OsString;

use orch_core::ports::variables::Variables;

/// The variables that the hub was started with: what `${NAME}` in a server's specification refers to.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessVariables;

/// The value of one variable; `None` also for a value that is not UTF-8.
pub fn lookup(name: &str) -> Option<String> {
    ProcessVariables.lookup(name)
}

/// All variables, for the few that children inherit.
pub fn all() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

impl Variables for ProcessVariables {
    /// `None` also for a value that is not UTF-8, which no specification could hold.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    fn lookup(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_looked_up_by_its_exact_name() {
        assert!(ProcessVariables.lookup("PATH").is_some_and(|path| !path.is_empty()));
        for name in ["ORCH_NOT_SET_ANYWHERE", "", "A=B", "A\0B"] {
            assert_eq!(ProcessVariables.lookup(name), None);
        }
    }
}
