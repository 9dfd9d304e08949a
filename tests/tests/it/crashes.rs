//! A server that is killed in the middle of a publish leaves nothing of it.

use serde_json::json;

use crate::client::succeeded;
use crate::publish_events::Events;
use crate::server::Server;

#[tokio::test]
async fn a_publish_that_was_killed_leaves_nothing_and_the_next_one_works() {
    let mut server = Server::start().await;
    server.author("work").push(&["counter", "spins_at_import"]);
    let tool = server.client.create_tool("counter").await;
    server.client.publish(&tool, "counter", "major").await.expect(201);
    let before = server.installation.lasting_files();

    // Twice, so that what one kill leaves would add up.
    for _ in 0..2 {
        let mut events = Events::publish(&server.client, &tool, "spins_at_import", "minor").await;
        events.until_started("import").await;
        let during = server.installation.lasting_files();
        assert!(during.iter().any(|file| file.ends_with("src/spins_at_import.py")), "the build has its own copy");
        server = Server::start_on(server.kill()).await;
    }

    let client = &server.client;
    let left: Vec<_> = server.installation.lasting_files().difference(&before).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
    let versions = client.versions(&tool).await;
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0]["deprecated"], false);
    assert_eq!(client.result(&tool, json!({"step": 3})).await, succeeded("3"));
    let published = client.publish(&tool, "counter", "minor").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.1.0"}));
    let listed = client.versions(&tool).await;
    // Two processes that make ids within one second give them no order.
    let second = listed.iter().find(|version| version["version"]["minor"] == 1).expect("1.1.0 is listed");
    assert_eq!(second["lambda_version"], 2);
}
