//! Sessions of the 2025 eras: whose they are, how long they live, and what ends with them.
