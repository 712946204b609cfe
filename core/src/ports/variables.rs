//! The driven port to values that a server's specification refers to as `${NAME}`.

use alloc::string::String;

/// Looks up the value of a variable. Values are secrets: they go into a process and nowhere else.
pub trait Variables: Send + Sync + 'static {
    /// The value of `name`, or `None` when it is not set.
    fn lookup(&self, name: &str) -> Option<String>;
}
