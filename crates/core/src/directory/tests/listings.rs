use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::api::{Page, Paging, SequenceState};
use crate::call::{Answer, DirectoryQuestion};
use crate::error::{Code, Error};
use crate::time::Timestamp;

use super::people::{owner, token};
use super::sessions::{by_link, open};
use super::support::{World, code_of, endpoint_id, endpoint_view, new_code, projection, summary};

/// Walks a listing to its end, page by page, and answers the ids in its order.
fn walk(world: &World, limit: u32, question: impl Fn(Paging) -> DirectoryQuestion) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = ids_of(world.try_ask(question(Paging { cursor, limit })));
        assert!(page.len() <= limit as usize);
        assert!(next.is_none() || page.len() == limit as usize, "only the last page is short");
        assert!(ids.is_empty() || !page.is_empty(), "a cursor promises another item");
        ids.extend(page);
        cursor = next;
        if cursor.is_none() {
            return ids;
        }
    }
}

fn ids_of(answer: Result<Answer, Error>) -> (Vec<String>, Option<String>) {
    fn of<T>(page: Page<T>, id: impl Fn(T) -> String) -> (Vec<String>, Option<String>) {
        (page.items.into_iter().map(id).collect(), page.next)
    }
    match answer {
        Ok(Answer::Clients(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Sites(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Codes(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Endpoints(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Sequences(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::People(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Tokens(page)) => of(page, |item| item.id.to_string()),
        Ok(Answer::Sessions(page)) => of(page, |item| item.id.to_string()),
        other => panic!("{other:?}"),
    }
}

type Question = fn(Paging) -> DirectoryQuestion;

const LISTINGS: [Question; 8] = [
    DirectoryQuestion::Clients,
    |paging| DirectoryQuestion::Sites { client: None, paging },
    DirectoryQuestion::Codes,
    |paging| DirectoryQuestion::Endpoints { text: None, client: None, site: None, paging },
    |paging| DirectoryQuestion::Sequences { state: None, since: None, paging },
    |paging| DirectoryQuestion::Sessions { person: None, paging },
    DirectoryQuestion::People,
    |paging| DirectoryQuestion::Tokens { person: None, paging },
];

/// A world with as many of everything as there are names; names and times meet often.
fn world_of(names: &BTreeSet<String>) -> World {
    let mut world = World::new();
    let home = world.client("home").id;
    for (number, name) in (0..).zip(names) {
        let client = if name == "home" { home } else { world.client(name).id };
        let site = world.site(client, "North");
        world.code(new_code(site.id));
        let link = format!("link {number}");
        let email = format!("p{number}@example.com");
        owner(&mut world, &email, &link).unwrap();
        token(&mut world, &email, &link).unwrap();
        open(&mut world, by_link(&link), &link).unwrap();
        // Endpoints may share a name, also one that differs in case alone.
        let shared: String = name.chars().take(1).collect();
        let mut told = projection(1, endpoint_view(number, &shared, &site));
        told.sequences = vec![summary(
            endpoint_id(number),
            number,
            SequenceState::Queued,
            Timestamp::from_milliseconds(i64::from(number / 3)),
        )];
        world.project(told);
        if number % 3 == 0 {
            world.pass("1ms");
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn cursors_walk_every_item_exactly_once_in_the_order_of_one_page(
        names in proptest::collection::btree_set("[aAbBäÄ\"\\\\ 😀]{1,3}[a-c]", 0..24),
        limit in 1_u32..9,
    ) {
        let world = world_of(&names);
        for (index, listing) in LISTINGS.into_iter().enumerate() {
            let whole = walk(&world, Paging::LIMIT_MAX, listing);
            let paged = walk(&world, limit, listing);
            prop_assert_eq!(&paged, &whole);
            let distinct: BTreeSet<_> = paged.iter().collect();
            prop_assert_eq!(distinct.len(), paged.len());
            let expected = if index == 0 { names.len() + 1 } else { names.len() };
            prop_assert_eq!(paged.len(), expected);
        }
    }

    #[test]
    fn a_hostile_cursor_is_refused_and_breaks_nothing(cursor in ".{0,80}") {
        let world = World::new();
        for listing in LISTINGS {
            let paging = Paging { cursor: Some(cursor.clone()), limit: 10 };
            prop_assert_eq!(code_of(world.try_ask(listing(paging))), Code::InvalidRequest);
        }
    }
}

#[test]
fn a_cursor_of_another_listing_or_of_a_made_up_place_is_refused() {
    let names: BTreeSet<String> = ["a", "b", "c"].map(Into::into).into();
    let world = world_of(&names);
    let cursors: Vec<String> = LISTINGS
        .iter()
        .map(|listing| ids_of(world.try_ask(listing(Paging { cursor: None, limit: 1 }))).1.unwrap())
        .collect();
    for (own, listing) in LISTINGS.into_iter().enumerate() {
        for (other, cursor) in cursors.iter().enumerate() {
            let answer = world.try_ask(listing(Paging { cursor: Some(cursor.clone()), limit: 1 }));
            assert_eq!(answer.is_ok(), own == other, "{own} {other}");
        }
    }
    let forged = [
        r#"["clients",["a",7]]"#.to_owned(),
        r#"["clients",["a","0000000000000000","more"]]"#.to_owned(),
        r#"["codes",["99999-01-01T00:00:00Z","0000000000000000"]]"#.to_owned(),
        r#"["codes",[99999999999999999999,"0000000000000000"]]"#.to_owned(),
        format!(r#"["clients",["{}","0000000000000000"]]"#, "a".repeat(2_000)),
        "[".repeat(1_500),
    ];
    for text in forged {
        let cursor = Some(data_encoding::BASE64URL_NOPAD.encode(text.as_bytes()));
        for listing in LISTINGS {
            let answer = world.try_ask(listing(Paging { cursor: cursor.clone(), limit: 1 }));
            assert_eq!(code_of(answer), Code::InvalidRequest, "{text:.80}");
        }
    }
}

#[test]
fn a_page_begins_after_its_cursor_whatever_was_added_meanwhile() {
    let mut world = World::new();
    for name in ["b", "d"] {
        world.client(name);
    }
    let page = |world: &World, cursor| match world
        .try_ask(DirectoryQuestion::Clients(Paging { cursor, limit: 1 }))
    {
        Ok(Answer::Clients(page)) => (page.items[0].name.clone(), page.next),
        other => panic!("{other:?}"),
    };
    let (first, next) = page(&world, None);
    assert_eq!(first, "b");
    world.client("a");
    world.client("C");
    let (second, next) = page(&world, next);
    assert_eq!(second, "C", "by name without regard to case");
    assert_eq!(page(&world, next), ("d".to_owned(), None));
}

#[test]
fn a_limit_out_of_bounds_is_moved_into_them() {
    let world = world_of(&["a", "b"].map(Into::into).into());
    for (limit, items) in [(0, 1), (u32::MAX, 2)] {
        for listing in &LISTINGS[1..] {
            assert_eq!(ids_of(world.try_ask(listing(Paging { cursor: None, limit }))).0.len(), items);
        }
    }
}

#[test]
fn codes_and_sequences_are_listed_newest_first() {
    let mut world = World::new();
    let site = world.some_site();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.insert(0, world.code(new_code(site.id)).id.to_string());
        world.pass("1s");
    }
    assert_eq!(walk(&world, 2, DirectoryQuestion::Codes), made);
}
