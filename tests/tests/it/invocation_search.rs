//! Search in invocations: what a person types finds what they mean, and whatever was answered, however the server ended.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

async fn search(client: &Client, query: &str) -> Vec<Value> {
    let found = client.get(&format!("tool/invocation/search?query={query}")).await.expect(200);
    found["tool_invocations"].as_array().unwrap().clone()
}

/// The amounts that were ordered in the invocations that a search finds, sorted.
async fn amounts(client: &Client, query: &str) -> Vec<u64> {
    let mut amounts: Vec<_> =
        search(client, query).await.iter().map(|found| found["inputs"]["amount"].as_u64().unwrap()).collect();
    amounts.sort_unstable();
    amounts
}

fn order(amount: u64) -> Value {
    json!({"article": "cup", "amount": amount})
}

#[tokio::test]
async fn a_search_finds_what_was_answered_before_it() {
    let (server, tool) = Server::with_tool("raises").await;
    let client = &server.client;
    client.results(&tool, &[order(2), order(5)]).await;
    client.invoke_in("conversation-simulation", &tool, "1.0.0", &[order(3), order(7)]).await.expect(200);

    let cases: [(&str, &[u64]); 20] = [
        ("cup", &[2, 3, 5, 7]),
        ("wanted", &[5, 7]),
        ("want", &[5, 7]),
        ("wantde", &[5, 7]),
        ("%223%20of%20cup%22", &[5, 7]),
        ("%22cup%20of%203%22", &[]),
        ("OutOfStock", &[5, 7]),
        ("outofstock&query_against=invocation_status.exception_type", &[5, 7]),
        ("outofst&query_against=invocation_status.exception_type", &[]),
        ("stock.OutOfStock&query_against=invocation_status.exception_type", &[5, 7]),
        ("raises.p&query_against=invocation_status.exception_stack_trace", &[5, 7]),
        // A parameter of lists alone.
        ("cup&version=0.0.1", &[2, 3, 5, 7]),
        ("OutOfStock&query_against=invocation_status.output", &[]),
        ("wanted&query_against=invocation_status.exception_message", &[5, 7]),
        ("check&query_against=invocation_status.exception_stack_trace", &[5, 7]),
        ("cup&query_against=invocation_status.output", &[2, 3]),
        ("cup&succeeded=false&invocation_source_type=simulation-conversation", &[7]),
        ("cup&invocation_source_type=regular-conversation", &[2, 5]),
        ("cup&conversation_id=nobodys", &[]),
        ("teapot", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(amounts(client, query).await, expected, "{query}");
    }
    assert_eq!(amounts(client, &format!("cup&tool_id={tool}")).await, [2, 3, 5, 7]);
    assert!(search(client, &format!("cup&tool_id={}", "0".repeat(24))).await.is_empty());

    let listed = client.invocations("succeeded=false&invocation_source_type=regular-conversation").await;
    let found = search(client, "wanted&invocation_source_type=regular-conversation").await;
    assert_eq!(found, listed, "a search answers the same records as a list");

    for query in ["query=", "query=%22open", "query=%21%21", "query_against=invocation_status.output"] {
        let refused = client.get(&format!("tool/invocation/search?{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["query", "query"]), "{query}");
    }
    let refused = client.get("tool/invocation/search?query=cup&query_against=logs").await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["query", "query_against", 0]));
}

#[tokio::test]
async fn what_was_answered_is_found_after_a_kill_and_without_the_index() {
    let (server, tool) = Server::with_tool("raises").await;
    server.client.results(&tool, &[order(1)]).await;
    assert_eq!(amounts(&server.client, "cup").await, [1]);
    // These are in no commit of the index yet.
    server.client.results(&tool, &[order(2), order(5)]).await;

    let server = Server::start_on(server.kill()).await;
    assert_eq!(amounts(&server.client, "cup").await, [1, 2, 5]);
    assert_eq!(amounts(&server.client, "OutOfStock").await, [5]);
    let installation = server.kill();

    fs_err::remove_dir_all(installation.data().join("search")).unwrap();
    let server = Server::start_on(installation).await;
    assert_eq!(amounts(&server.client, "cup").await, [1, 2, 5]);
    server.client.results(&tool, &[order(3)]).await;
    assert_eq!(amounts(&server.client, "cup").await, [1, 2, 3, 5]);
    let installation = server.kill();

    for file in fs_err::read_dir(installation.data().join("search")).unwrap() {
        fs_err::write(file.unwrap().path(), "no index").unwrap();
    }
    let server = Server::start_on(installation).await;
    assert_eq!(amounts(&server.client, "cup").await, [1, 2, 3, 5]);
    assert_eq!(server.client.invocations("").await.len(), 4);
}
