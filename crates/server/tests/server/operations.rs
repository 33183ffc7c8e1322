//! What an operator's tools ask.

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
        "tidegate_build_info{version=",
    ] {
        assert!(text.contains(name), "no `{name}` in {text}");
    }
    running.shutdown().await;
}
