//! Names wherever an id is: what a person wrote becomes the one thing that is called so.

mod machine;

use tidegate_core::api::{ClientView, EndpointView, PlaybookSummary, SiteView};
use tidegate_core::id::{ClientId, EndpointId, PlaybookId, SequenceId, SiteId};
use tidegate_core::obstacle::Obstacle;

use crate::client::{Api, LISTING_ITEMS_MAX};
use crate::failure::Failure;
use crate::text::one_line;

use machine::machine;

/// Most candidates an error lists.
const CANDIDATES_SHOWN_MAX: usize = 8;

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named<I> {
    /// Its id.
    pub id: I,
    /// Its name.
    pub name: String,
    /// What tells two of the same name apart, for people; may be empty.
    pub about: String,
}

/// The one of `candidates` whose id or name is `text`. An exact name counts before one in other letters.
///
/// # Errors
///
/// A usage [`Failure`] when there is none or more than one, listing those it could be.
pub(crate) fn unique<I: Clone + ToString>(
    kind: &str,
    text: &str,
    candidates: &[Named<I>],
) -> Result<Named<I>, Failure> {
    let folded = text.to_lowercase();
    let by_id: Vec<_> = candidates.iter().filter(|candidate| candidate.id.to_string() == text).collect();
    let exact: Vec<_> = candidates.iter().filter(|candidate| candidate.name == text).collect();
    let any_case: Vec<_> =
        candidates.iter().filter(|candidate| candidate.name.to_lowercase() == folded).collect();
    let matches = [by_id, exact, any_case].into_iter().find(|matches| !matches.is_empty());
    match matches {
        Some(matches) => one_of(kind, text, &matches),
        None => Err(unknown(kind, text, &folded, candidates)),
    }
}

/// The only one of `matches`; several are refused with the list of them.
fn one_of<I: Clone + ToString>(kind: &str, text: &str, matches: &[&Named<I>]) -> Result<Named<I>, Failure> {
    match matches {
        [only] => Ok((*only).clone()),
        several => Err(Failure::usage(format!("`{text}` names {} {kind}s", several.len()))
            .of(Obstacle::AmbiguousName)
            .next(format!("name one by its id:\n{}", list(several)))),
    }
}

impl Api {
    /// The client called `text`.
    ///
    /// # Errors
    ///
    /// As [`unique`], or what the request failed with.
    pub(crate) async fn client_named(&self, text: &str) -> Result<Named<ClientId>, Failure> {
        let clients: Vec<ClientView> = self.list(&["clients"], &[], LISTING_ITEMS_MAX).await?.parse()?;
        let named = clients.into_iter().map(|client| Named {
            id: client.id,
            name: client.name,
            about: String::new(),
        });
        unique("client", text, &named.collect::<Vec<_>>())
    }

    /// A site and its client in words: `Plant 7 of Example Foods`.
    pub(crate) async fn place_of(&self, site: SiteId) -> Result<String, Failure> {
        let sites: Vec<SiteView> = self.list(&["sites"], &[], LISTING_ITEMS_MAX).await?.parse()?;
        let clients: Vec<ClientView> = self.list(&["clients"], &[], LISTING_ITEMS_MAX).await?.parse()?;
        let Some(site) = sites.iter().find(|known| known.id == site) else { return Ok(site.to_string()) };
        let client = clients.iter().find(|client| client.id == site.client_id);
        Ok(client.map_or_else(|| site.name.clone(), |client| format!("{} of {}", site.name, client.name)))
    }

    /// The site called `text`; `CLIENT/SITE` tells sites of the same name apart.
    ///
    /// # Errors
    ///
    /// As [`unique`], or what a request failed with.
    pub(crate) async fn site_named(&self, text: &str) -> Result<Named<SiteId>, Failure> {
        let sites: Vec<SiteView> = self.list(&["sites"], &[], LISTING_ITEMS_MAX).await?.parse()?;
        let clients: Vec<ClientView> = self.list(&["clients"], &[], LISTING_ITEMS_MAX).await?.parse()?;
        let named: Vec<_> = sites
            .into_iter()
            .map(|site| {
                let client = clients.iter().find(|client| client.id == site.client_id);
                let about = client.map(|client| client.name.clone()).unwrap_or_default();
                Named { id: site.id, name: site.name, about }
            })
            .collect();
        site_of(text, &named)
    }

    /// The playbook called `text`, archived or not.
    ///
    /// # Errors
    ///
    /// As [`unique`], or what the request failed with.
    pub(crate) async fn playbook_named(&self, text: &str) -> Result<Named<PlaybookId>, Failure> {
        let listing = self.list(&["playbooks"], &[("archived", "true")], LISTING_ITEMS_MAX).await?;
        let playbooks: Vec<PlaybookSummary> = listing.parse()?;
        let named = playbooks.into_iter().map(|playbook| Named {
            id: playbook.id,
            name: playbook.name,
            about: if playbook.archived_at.is_some() { "archived".to_owned() } else { String::new() },
        });
        unique("playbook", text, &named.collect::<Vec<_>>())
    }

    /// The endpoint called `text`.
    ///
    /// # Errors
    ///
    /// As [`machine`], or what a request failed with.
    pub(crate) async fn endpoint_named(&self, text: &str) -> Result<Named<EndpointId>, Failure> {
        let mut endpoints: Vec<EndpointView> =
            self.list(&["endpoints"], &[("q", text)], LISTING_ITEMS_MAX).await?.parse()?;
        let is_there = endpoints.iter().any(|endpoint| endpoint.id.to_string() == text);
        if text.parse::<EndpointId>().is_ok() && !is_there {
            // Searching by text need not find ids; an id that is nowhere is refused with its own words.
            match self.get(&["endpoints", text], &[]).await {
                Ok(answer) => endpoints.push(answer.parse()?),
                Err(failure) if endpoints.is_empty() => return Err(failure),
                Err(_) => {}
            }
        }
        machine(text, &endpoints)
    }
}

/// Reads the id of a sequence.
///
/// # Errors
///
/// A usage [`Failure`] that says where ids are found.
pub(crate) fn sequence_id(text: &str) -> Result<SequenceId, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(format!("`{text}` is not the id of a sequence"))
            .of(Obstacle::UnknownName)
            .next("find it with: tidegate sequences list")
    })
}

fn site_of(text: &str, sites: &[Named<SiteId>]) -> Result<Named<SiteId>, Failure> {
    if let Some((client, site)) = text.split_once('/') {
        let of_client: Vec<_> = sites
            .iter()
            .filter(|named| named.about.to_lowercase() == client.to_lowercase())
            .cloned()
            .collect();
        if let Ok(found) = unique("site", site, &of_client) {
            return Ok(found);
        }
    }
    unique("site", text, sites)
}

fn unknown<I: ToString>(kind: &str, text: &str, folded: &str, candidates: &[Named<I>]) -> Failure {
    let close: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.name.to_lowercase().contains(folded) && !folded.is_empty())
        .collect();
    let failure = Failure::usage(format!("there is no {kind} `{text}`")).of(Obstacle::UnknownName);
    if close.is_empty() {
        failure.next(format!("see them all with: tidegate {} list", command_of(kind)))
    } else {
        failure.next(format!("did you mean one of these?\n{}", list(&close)))
    }
}

fn command_of(kind: &str) -> &'static str {
    match kind {
        "client" => "clients",
        "site" => "sites",
        "playbook" => "playbooks",
        _ => "endpoints",
    }
}

fn list<I: ToString>(candidates: &[&Named<I>]) -> String {
    let mut lines: Vec<_> = candidates
        .iter()
        .take(CANDIDATES_SHOWN_MAX)
        .map(|candidate| {
            let line = format!("{}  {}  {}", candidate.id.to_string(), candidate.name, candidate.about);
            format!("  {}", one_line(&line).trim_end())
        })
        .collect();
    if candidates.len() > CANDIDATES_SHOWN_MAX {
        lines.push(format!("  and {} more", candidates.len() - CANDIDATES_SHOWN_MAX));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_or_a_name_finds_the_one_thing() {
        let machines = machines();
        assert_eq!(unique("machine", "1", &machines).unwrap().name, "hmi-3");
        assert_eq!(unique("machine", "hmi-3", &machines).unwrap().id, "1");
        assert_eq!(unique("machine", "Press-1", &machines).unwrap().id, "2", "any letters, if unique");
        assert_eq!(unique("machine", "PRESS-1", &machines).unwrap().id, "2");
    }

    #[test]
    fn an_id_counts_before_a_name_that_imitates_it() {
        let imitated = [named("1", "hmi-3", ""), named("2", "1", "")];
        assert_eq!(unique("machine", "1", &imitated).unwrap().name, "hmi-3");
    }

    #[test]
    fn an_ambiguous_name_lists_the_candidates() {
        let twins = [named("1", "hmi", "last seen today"), named("2", "hmi", "never seen")];
        let failure = unique("machine", "hmi", &twins).unwrap_err();
        assert_eq!(failure.what, "`hmi` names 2 machines");
        insta::assert_snapshot!(failure.next.unwrap(), @r"
        name one by its id:
          1  hmi  last seen today
          2  hmi  never seen
        ");
    }

    #[test]
    fn an_unknown_name_suggests_those_like_it() {
        let failure = unique("machine", "hmi", &machines()).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
        assert!(failure.next.unwrap().contains("1  hmi-3"));
        let failure = unique("site", "x", &machines()).unwrap_err();
        assert_eq!(failure.next.as_deref(), Some("see them all with: tidegate sites list"));
    }

    #[test]
    fn client_and_site_together_tell_sites_of_one_name_apart() {
        let id = |last| SiteId::from_bytes([last; 10]);
        let site = |last, client: &str| Named { id: id(last), name: "Plant 1".into(), about: client.into() };
        let sites = [site(1, "Acme"), site(2, "Bolt")];
        assert!(site_of("Plant 1", &sites).is_err());
        assert_eq!(site_of("bolt/plant 1", &sites).unwrap().id, id(2));
    }

    fn machines() -> [Named<String>; 2] {
        [named("1", "hmi-3", "last seen today"), named("2", "press-1", "")]
    }

    fn named(id: &str, name: &str, about: &str) -> Named<String> {
        Named { id: id.into(), name: name.into(), about: about.into() }
    }
}
