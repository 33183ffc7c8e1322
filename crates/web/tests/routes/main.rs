//! The routers as a client sees them, over the real core.

mod refusals;
mod time;
mod world;
