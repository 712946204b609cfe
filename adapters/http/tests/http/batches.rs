//! Plans over REST: what is told of a run whose end cannot be waited for.

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::gateway::Reply;

use crate::gateway::Scripted;
use crate::hub::Hub;

const FAULT: &[u8] = br#"{"jsonrpc":"2.0","id":0,"error":{"code":-31001,"message":"no"}}"#;
const RUN: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"content":[],"structuredContent":{"run":"0123456789ab","status":"running"}}}"#;

#[tokio::test]
async fn a_run_that_has_begun_is_told_where_its_end_cannot_be_waited_for() {
    for (status, told) in [(503, 202), (429, 202), (200, 202), (401, 401), (404, 404)] {
        let gateway = Scripted::new(move |_, body| async move {
            if status == 200 || body.windows(13).any(|words| words == b"batch_execute") {
                Reply::json(200, Bytes::from_static(RUN.as_bytes()))
            } else {
                Reply::json(status, Bytes::from_static(FAULT))
            }
        });
        let hub = Hub::start(gateway, Limits::default()).await;
        let plan = r#"{"steps":[{"id":"a","tool":"t"}]}"#;
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{plan}", plan.len());
        let request = hub.request("POST /api/projects/p/batches", &head);
        let response = hub.connect().await.exchange(&request).await;
        assert_eq!(response.status, told, "{status}");
        if told == 202 {
            assert_eq!(response.header("location"), "/api/projects/p/batches/0123456789ab");
            assert!(response.text().contains(r#""status":"running""#), "{}", response.text());
        }
    }
}
