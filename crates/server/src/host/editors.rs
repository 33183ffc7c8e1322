//! Who has which draft open, known only here and only for as long as their pages say so.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_core::id::SequenceId;

/// How long after the last word of a page its person counts as editing: pages say it every ten seconds.
const EDITING_FOR: Duration = Duration::from_secs(30);
/// Drafts that are remembered at once; with more open, the newest is not told of.
const DRAFTS_MAX: usize = 10_000;
/// People who are remembered of one draft.
const PEOPLE_MAX: usize = 20;

/// People by the draft that they have open.
#[derive(Debug, Default)]
pub(super) struct Editors(Mutex<HashMap<SequenceId, Vec<(String, Instant)>>>);

impl Editors {
    /// Notes that `person` has `draft` open, and answers who else has, by name.
    pub(super) fn seen(&self, draft: SequenceId, person: &str, now: Instant) -> Vec<String> {
        let mut drafts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |at: Instant| now.saturating_duration_since(at) < EDITING_FOR;
        if drafts.len() >= DRAFTS_MAX {
            drafts.retain(|_, people| people.iter().any(|(_, at)| is_there(*at)));
        }
        if drafts.len() >= DRAFTS_MAX && !drafts.contains_key(&draft) {
            return Vec::new();
        }
        let people = drafts.entry(draft).or_default();
        people.retain(|(name, at)| is_there(*at) && name != person);
        let mut others: Vec<_> = people.iter().map(|(name, _)| name.clone()).collect();
        others.sort_unstable();
        if people.len() < PEOPLE_MAX {
            people.push((person.to_owned(), now));
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::entropy::Entropy;
    use tidegate_core::id::EndpointId;

    use super::*;

    #[test]
    fn two_people_on_one_draft_see_each_other_until_one_is_gone() {
        let (editors, now) = (Editors::default(), Instant::now());
        let (draft, other): (SequenceId, SequenceId) = (
            "0000000000000000-0000000000000000".parse().unwrap(),
            "0000000000000000-0000000000000001".parse().unwrap(),
        );
        assert_eq!(editors.seen(draft, "ana", now), Vec::<String>::new());
        assert_eq!(editors.seen(draft, "ben", now), ["ana"]);
        assert_eq!(editors.seen(draft, "ana", now), ["ben"]);
        assert_eq!(editors.seen(other, "cem", now), Vec::<String>::new(), "another draft is another room");
        assert_eq!(editors.seen(draft, "ben", now + Duration::from_secs(29)), ["ana"]);
        assert_eq!(editors.seen(draft, "ben", now + Duration::from_secs(31)), Vec::<String>::new());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (editors, now) = (Editors::default(), Instant::now());
        let draft = |number: u64| {
            let mut entropy = [0; 32];
            entropy[..8].copy_from_slice(&number.to_be_bytes());
            SequenceId::fresh(EndpointId::from_bytes([0; 10]), &mut Entropy::new(entropy))
        };
        for number in 0..DRAFTS_MAX as u64 + 10 {
            editors.seen(draft(number), "ana", now);
        }
        assert_eq!(editors.0.lock().unwrap().len(), DRAFTS_MAX);
        editors.seen(draft(1 << 40), "ana", now + EDITING_FOR);
        assert_eq!(editors.0.lock().unwrap().len(), 1, "those who left make room");
    }
}
