//! The directory's promises, each as a sentence.

mod acts;
mod admission;
mod audit;
mod confirmations;
mod listings;
mod memory;
mod namesakes;
mod overnight;
mod page_bytes;
mod passwords;
mod people;
mod playbooks;
mod projections;
mod search;
mod sessions;
mod support;
mod tokens;
mod upgrade;
