//! Search over machines: every word is found somewhere, and names are those of now.

use serde_json::json;

use crate::api::{MachineRow, Paging};
use crate::call::{Answer, DirectoryQuestion};
use crate::error::Code;
use crate::id::ClientId;

use super::support::{World, all, code_of, endpoint_view, facts, projection};

fn asked(text: &str, client: Option<ClientId>, paging: Paging) -> DirectoryQuestion {
    DirectoryQuestion::Machines { text: Some(text.to_owned()), client, site: None, paging }
}

fn rows(world: &World, text: &str) -> Vec<MachineRow> {
    match world.try_ask(asked(text, None, all())) {
        Ok(Answer::Machines(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

fn found(world: &World, text: &str) -> Vec<String> {
    rows(world, text).into_iter().map(|row| row.endpoint.name).collect()
}

/// Two machines at two sites of two clients.
fn world() -> World {
    let mut world = World::new();
    let (foods, paper) = (world.client("Example Foods").id, world.client("Müller Paper").id);
    let (north, hall) = (world.site(foods, "Plant North"), world.site(paper, "Hall 2"));
    let mut labeller = endpoint_view(1, "hmi-labeller", &north);
    labeller.tags = vec!["Line 4".into(), "servo".into()];
    labeller.address = Some("203.0.113.7".into());
    labeller.facts = facts(&json!({"os": "Windows 10", "hardware": {"serial": "4CE0460D0G"}}));
    world.project(projection(1, labeller));
    let mut press = endpoint_view(2, "press", &hall);
    press.facts = facts(&json!({"os": "Windows 7"}));
    world.project(projection(1, press));
    world
}

#[test]
fn every_word_must_be_found_and_may_be_found_anywhere() {
    let world = world();
    for text in [
        "line 4",
        "SERVO",
        "203.0.113",
        "4ce0460",
        "north foods",
        "windows plant servo hmi",
        " labeller  10 ",
    ] {
        assert_eq!(found(&world, text), ["hmi-labeller"], "{text}");
    }
    assert_eq!(found(&world, "MÜLLER 7 hall"), ["press"], "case counts in no alphabet");
    assert_eq!(found(&world, "windows"), ["hmi-labeller", "press"]);
    assert_eq!(found(&world, " "), ["hmi-labeller", "press"], "no word is in the way of none");
    for text in ["servo hall", "foods müller", "%", "line_4"] {
        assert_eq!(found(&world, text), [""; 0], "{text}");
    }
}

#[test]
fn a_row_has_the_names_of_where_it_is() {
    let world = world();
    let [row] = rows(&world, "labeller").try_into().unwrap();
    assert_eq!((row.client_name.as_str(), row.site_name.as_str()), ("Example Foods", "Plant North"));
    let ask = |client| match world.try_ask(asked("windows", Some(client), all())) {
        Ok(Answer::Machines(page)) => page.items.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(row.endpoint.client_id), 1);
    assert_eq!(ask(ClientId::from_bytes([9; 10])), 0);
}

#[test]
fn more_words_than_are_compared_are_refused() {
    let world = world();
    assert_eq!(found(&world, "w i n d o 4ce"), ["hmi-labeller"], "six are compared");
    for text in ["a b c d e f g".to_owned(), "x".repeat(201)] {
        assert_eq!(code_of(world.try_ask(asked(&text, None, all()))), Code::InvalidRequest);
    }
}
