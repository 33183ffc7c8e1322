//! The routers as a client sees them, over the real core.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod confirmations;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod events;
#[cfg(test)]
mod export;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod overnight;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pages_codes;
#[cfg(test)]
mod pages_draft;
#[cfg(test)]
mod pages_key;
#[cfg(test)]
mod pages_machine;
#[cfg(test)]
mod pages_namesakes;
#[cfg(test)]
mod pages_playbooks;
#[cfg(test)]
mod pages_queries;
#[cfg(test)]
mod pages_settings;
#[cfg(test)]
mod people;
#[cfg(test)]
mod places;
#[cfg(test)]
mod playbooks;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sequences;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod time;
#[cfg(test)]
mod world;
