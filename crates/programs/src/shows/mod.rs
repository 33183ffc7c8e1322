//! What this project shows, by name.
