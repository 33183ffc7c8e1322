//! What an operator's tools ask.

use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_server::admin::order_key::{self, OrderKey, Renewal};

use crate::client::Client;
use crate::plane::Home;

#[tokio::test]
async fn health_readiness_and_figures_are_told_without_a_token() {
    let home = Home::new();
    let running = home.serve().await;
    let mut anybody = Client::connect(running.addresses().people, None).await;
    anybody.get("/healthz").await.expect(200);
    anybody.get("/readyz").await.expect(200);
    anybody.get("/api/v1/me").await.expect(401);
    let response = anybody.get("/metrics").await.expect(200);
    assert!(response.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = response.text();
    for name in [
        "tidegate_http_requests_total{class=\"api\",status=\"401\"} 1",
        "tidegate_http_request_duration_seconds_bucket",
        "tidegate_syncs_total{kind=\"idle\"} 0",
        "tidegate_syncs_held 0",
        "tidegate_write_duration_seconds_count",
        "tidegate_write_batch_calls_count",
        "tidegate_commit_duration_seconds_count",
        "tidegate_wal_size_bytes",
        "tidegate_disk_free_bytes",
        "tidegate_disk_reserve_bytes",
        "tidegate_disk_full 0",
        "tidegate_endpoints 0",
        "tidegate_endpoints_connected 0",
        "tidegate_sequences_live 0",
        "tidegate_projection_backlog 0",
        "tidegate_connections 1",
        "tidegate_order_key_not_after_seconds ",
        "tidegate_build_info{version=",
    ] {
        assert!(text.contains(name), "no `{name}` in {text}");
    }
    running.shutdown().await;
}

/// Makes the order key one that ends after `valid_for`.
fn renewed(home: &Home, valid_for: Milliseconds) -> OrderKey {
    let renewal = Renewal { valid_for: Some(valid_for), ..Renewal::default() };
    order_key::renew(&home.data(), &home.beside("root.pem"), renewal).unwrap().key
}

#[tokio::test]
async fn readiness_and_figures_tell_when_the_order_key_ends_and_a_year_before_nothing() {
    let home = Home::new();
    let running = home.serve().await;
    let mut anybody = home.anybody(&running).await;
    assert_eq!(anybody.get("/readyz").await.expect(200).text(), "ok\n");
    running.shutdown().await;

    let key = renewed(&home, Milliseconds::from_days(20));
    let running = home.serve().await;
    let mut anybody = home.anybody(&running).await;
    let ready = anybody.get("/readyz").await.expect(200).text();
    assert!(ready.starts_with("ok\nThe order key ends on "), "{ready}");
    assert!(
        ready.ends_with(
            "in 19 days; renew it with `tidegate admin order-key new --data DIR --root-key FILE`\n"
        )
    );
    let figure = format!("tidegate_order_key_not_after_seconds {}\n", seconds(key.not_after));
    let figures = anybody.get("/metrics").await.expect(200).text();
    assert!(figures.contains(&figure), "{figures}");
    running.shutdown().await;
}

#[tokio::test]
async fn past_the_end_of_the_order_key_it_is_still_ready_since_results_arrive() {
    let home = Home::new();
    renewed(&home, Milliseconds(1));
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let running = home.serve().await;
    let ready = home.anybody(&running).await.get("/readyz").await.expect(200).text();
    assert!(ready.starts_with("ok\nThe order key ended on "), "{ready}");
    assert!(ready.contains("machines refuse new orders"), "{ready}");
    running.shutdown().await;
}

fn seconds(at: Timestamp) -> i64 {
    at.milliseconds() / 1_000
}
