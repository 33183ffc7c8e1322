//! Every page warns before the order key ends.

use std::time::Duration;

use crate::pages::{Browser, text};
use crate::world::World;

const DAY: u64 = 86_400;
const PAGES: [&str; 6] =
    ["/", "/machines", "/playbooks", "/settings/you", "/settings/audit", "/machines/new"];

/// Every page of the console for somebody who signs in this long after the key was issued for a year.
async fn pages_after(days: u64) -> Vec<String> {
    let world = World::new();
    tokio::time::advance(Duration::from_secs(days * DAY)).await;
    let mut browser = Browser::signed_in(&world).await;
    let mut pages = Vec::new();
    for page in PAGES {
        pages.push(text(&browser.get(page).await));
    }
    pages
}

#[tokio::test(start_paused = true)]
async fn every_page_warns_owners_60_30_and_7_days_before_the_order_key_ends_and_after() {
    for (days, said, class) in [
        (306, "in 59 days", "\"notice\""),
        (336, "in 29 days", "\"notice attention\""),
        (359, "in 6 days", "\"notice bad\""),
        (366, "machines refuse new orders", "\"notice bad\""),
    ] {
        for page in pages_after(days).await {
            let warning = page.split("aria-label=\"Order key\"").nth(1).expect("a warning");
            let warning = warning.split("</aside>").next().unwrap();
            assert!(warning.contains("The order key end") && warning.contains("2027-11-23"), "{warning}");
            assert!(warning.contains(said) && warning.contains(&format!("class={class}")), "{warning}");
            assert!(warning.contains("tidegate admin order-key new --data DIR --root-key FILE"), "{warning}");
            assert!(warning.contains("work that a machine has accepted still runs"), "{warning}");
            assert_eq!(warning.contains("<details open"), days > 358, "the steps are in sight when urgent");
        }
    }
    for page in pages_after(304).await {
        assert!(!page.contains("Order key"), "60 days and more are no cause to worry");
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_are_told_nothing_of_the_order_key() {
    let world = World::new();
    tokio::time::advance(Duration::from_secs(400 * DAY)).await;
    let page = text(&Browser::new(&world).get("/sign-in").await);
    assert!(page.contains("Sign in") && !page.contains("order key"), "{page}");
}
