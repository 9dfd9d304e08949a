//! Nothing of one invocation reaches another: no state, no waiting.

use std::pin::pin;

use serde_json::json;

use crate::client::{failed, results, succeeded};
use crate::server::Server;

#[tokio::test]
async fn every_invocation_has_a_fresh_instance() {
    let (server, tool) = Server::with_tool("counter").await;

    for _ in 0..5 {
        assert_eq!(server.client.result(&tool, json!({})).await, succeeded("1"));
    }

    let ten = vec![json!({}); 10];
    let (one_call, another_call) = tokio::join!(server.client.results(&tool, &ten), server.client.results(&tool, &ten));
    assert_eq!(one_call, vec![succeeded("1"); 10]);
    assert_eq!(another_call, vec![succeeded("1"); 10]);
    assert_eq!(server.client.invocations("").await.len(), 25);
}

#[tokio::test]
async fn an_endless_loop_disturbs_neither_its_neighbour_nor_other_calls() {
    let (server, tool) = Server::with_tool("loops_forever").await;
    let (endless, short) = (json!({"forever": true}), json!({"forever": false}));

    let both = [endless, short.clone()];
    let mut slow = pin!(server.client.invoke(&tool, "1.0.0", &both));
    let mut undisturbed = 0;
    let slow = loop {
        tokio::select! {
            biased;
            answer = &mut slow => break answer,
            result = server.client.result(&tool, short.clone()) => {
                assert_eq!(result, succeeded("done"));
                undisturbed += 1;
            }
        }
    };

    // In the order of the inputs, though the second one was ready seconds before the first.
    let stopped = failed("ToolTimeout", "the tool was stopped at its time limit of 5s", &[]);
    assert_eq!(results(slow), [stopped, succeeded("done")]);
    // One call could have been answered before the loop began, and one while it ended.
    assert!(undisturbed > 2, "only {undisturbed} other calls were answered while one looped");
}
