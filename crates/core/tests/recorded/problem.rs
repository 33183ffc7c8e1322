//! What two messages differ in, said so that the story, the exchange and the field are found at once.

/// Where in a story something went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) story: String,
    /// Which exchange, from 1, and what it is.
    pub(crate) exchange: String,
}

/// Longest explanation in characters: values can be whole results.
const WHAT_MAX: usize = 600;

impl Place {
    pub(crate) fn problem(&self, field: &str, what: &str) -> String {
        let what: String = what.chars().take(WHAT_MAX).collect();
        format!("story `{}`, exchange {}, field `{field}`: {what}", self.story, self.exchange)
    }
}
