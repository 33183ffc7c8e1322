//! What a machine can be asked, as its own runtime told it.

use serde::Deserialize;
use tidegate_core::id::EndpointId;
use tidegate_core::probe::{Catalogue, ProbeSpec};

use crate::client::Api;
use crate::failure::Failure;

/// The answer of `GET /api/v1/endpoints/{id}/probes`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Probes {
    /// Whether the machine ever told its probes.
    known: bool,
    /// The probes in the order people see them.
    items: Vec<ProbeSpec>,
}

impl Probes {
    /// The catalogue; `None`: the machine never told it.
    pub(crate) fn catalogue(self) -> Option<Catalogue> {
        self.known.then_some(Catalogue(self.items))
    }
}

impl Api {
    /// The catalogue of `endpoint`; `None`: the machine never told it.
    ///
    /// # Errors
    ///
    /// What the request failed with.
    pub(crate) async fn catalogue(&self, endpoint: EndpointId) -> Result<Option<Catalogue>, Failure> {
        let answer = self.get(&["endpoints", &endpoint.to_string(), "probes"], &[]).await?;
        Ok(answer.parse::<Probes>()?.catalogue())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_told_nothing_is_not_one_without_probes() {
        let read = |text| serde_json::from_str::<Probes>(text).map(Probes::catalogue).ok();
        assert_eq!(read(r#"{"known":false,"items":[],"next":null}"#), Some(None));
        assert_eq!(read(r#"{"known":true,"items":[],"next":null}"#), Some(Some(Catalogue::default())));
    }
}
