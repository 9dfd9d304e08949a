//! Lists of invocations: filters, orders and pages, against what the same records say when they are sifted by hand.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// Two tools with two versions each, and invocations of them that differ in everything that a list looks at.
async fn recorded(server: &Server) -> ([String; 2], Vec<Value>) {
    let client = &server.client;
    server.author("work").push(&["raises"]);
    let tools = [client.create_tool("first").await, client.create_tool("second").await];
    for tool in &tools {
        for bump in ["major", "minor"] {
            client.publish(tool, "raises", bump).await.expect(201);
        }
    }
    let conversation = |id: Value| {
        json!({"type": "regular-conversation", "user_id": client.key.user_id, "conversation_id": id,
               "interaction_id": null, "invocation_metadata": {
                   "type": "engage-user", "current_state_machine_and_version": ["machine", 3], "tool_call_round_index": 1}})
    };
    let run = |id: Value| {
        json!({"type": "simulation-conversation", "simulation_unit_test_set_run_id": id, "unit_test_id": "t",
               "run_index": 1, "invocation_metadata": null})
    };
    let sources = [
        conversation(json!("a")),
        run(json!("a")),
        conversation(json!("b")),
        run(json!("b")),
        conversation(Value::Null),
        run(Value::Null),
    ];
    for (round, source) in sources.iter().enumerate() {
        for (tool, version) in [(&tools[0], "1.0.0"), (&tools[1], "1.1.0"), (&tools[1], "1.0.0"), (&tools[0], "1.1.0")]
        {
            order(client, tool, version, source, &[1, 4 + round as u64, 2]).await;
        }
    }
    let all = client.invocations("").await;
    assert_eq!(all.len(), sources.len() * 4 * 3);
    let found: BTreeSet<_> = all.iter().map(|record| record["invocation_source"].to_string()).collect();
    assert_eq!(found, sources.iter().map(Value::to_string).collect(), "each source as it was sent, nulls and all");
    (tools, all)
}

/// Invokes with several inputs; those of more than three fail.
async fn order(client: &Client, tool: &str, version: &str, source: &Value, amounts: &[u64]) {
    let input =
        |amount: &u64| json!({"input_parameters": {"article": "cup", "amount": amount}, "invocation_mode": "regular"});
    let body = json!({"inputs": amounts.iter().map(input).collect::<Vec<_>>(), "invocation_source": source});
    client.post(&format!("tool/{tool}/version/{version}/invoke"), body).await.expect(200);
}

/// All pages of a list.
async fn pages(client: &Client, query: &str, limit: usize) -> Vec<Value> {
    let (mut entries, mut token) = (Vec::new(), json!(0));
    loop {
        let path = format!("tool/invocation?limit={limit}&continuation_token={token}&{query}");
        let page = client.get(&path).await.expect(200);
        entries.extend(page["tool_invocations"].as_array().unwrap().clone());
        assert!(page["tool_invocations"].as_array().unwrap().len() <= limit);
        assert_eq!(page["has_more"], !page["continuation_token"].is_null());
        token = page["continuation_token"].clone();
        if token.is_null() {
            return entries;
        }
        assert!(token.as_u64().is_some_and(|token| token < 1 << 53), "{token}");
    }
}

fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_filter_and_every_order_gives_what_it_says() {
    let server = Server::start().await;
    let (tools, all) = recorded(&server).await;
    let [first, second] = &tools;
    let source = |record: &Value, field: &str| record["invocation_source"][field].clone();
    let minor = |record: &Value| record["tool_version"]["minor"].clone();
    type Passes<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let filters: Vec<(String, Passes)> = vec![
        (String::new(), Box::new(|_| true)),
        (format!("tool_id={first}"), Box::new(|record| record["tool_id"] == **first)),
        (format!("tool_id={first}&tool_id={second}"), Box::new(|_| true)),
        (
            format!("tool_id={first}&version=1.1.0&tool_id={second}&version=%3E%3D1.0,%3C1.1"),
            Box::new(|record| minor(record) == u64::from(record["tool_id"] == **first)),
        ),
        ("conversation_id=a".to_owned(), Box::new(|record| source(record, "conversation_id") == "a")),
        (
            "conversation_id=a&conversation_id=b".to_owned(),
            Box::new(|record| source(record, "conversation_id").is_string()),
        ),
        (
            "simulation_unit_test_set_run_id=a".to_owned(),
            Box::new(|record| source(record, "simulation_unit_test_set_run_id") == "a"),
        ),
        ("conversation_id=a&simulation_unit_test_set_run_id=a".to_owned(), Box::new(|_| false)),
        (
            "invocation_source_type=simulation-conversation".to_owned(),
            Box::new(|record| source(record, "type") == "simulation-conversation"),
        ),
        (
            "invocation_source_type=simulation-conversation&invocation_source_type=regular-conversation".to_owned(),
            Box::new(|_| true),
        ),
        ("succeeded=false".to_owned(), Box::new(|record| record["invocation_status"]["succeeded"] == false)),
        ("succeeded=false&succeeded=true".to_owned(), Box::new(|_| true)),
        (
            format!(
                "tool_id={second}&version=~%3D1.0&succeeded=true&conversation_id=b&invocation_source_type=regular-conversation"
            ),
            Box::new(|record| {
                record["tool_id"] == **second
                    && record["invocation_status"]["succeeded"] == true
                    && source(record, "conversation_id") == "b"
            }),
        ),
    ];
    let orders: [&[&str]; 9] = [
        &["-created_at"],
        &["+created_at"],
        &["+version.major", "-version.minor"],
        &["-version.minor", "+version.patch", "-created_at"],
        &["-tool_id"],
        &["+tool_id", "+created_at"],
        &["+invocation_source.type", "-invocation_status.succeeded"],
        &["-invocation_source.type"],
        &["+invocation_status.succeeded", "-tool_id", "+created_at", "-version.minor"],
    ];
    for (filter, passes) in &filters {
        for (index, order) in orders.iter().enumerate() {
            let mut expected: Vec<_> = all.iter().filter(|record| passes(record)).cloned().collect();
            expected.sort_by(|a, b| compare(a, b, order));
            let sort: Vec<_> = order.iter().map(|field| format!("&sort_by={}", field.replace('+', "%2B"))).collect();
            let listed = pages(&server.client, &format!("{filter}{}", sort.concat()), 30 + 7 * index).await;
            assert_eq!(ids(&listed), ids(&expected), "{filter} by {order:?}");
        }
    }

    what_is_no_list_is_refused(&server.client, first, second).await;
    new_records_make_no_page_repeat_or_skip_any(&server.client, first).await;
}

fn compare(a: &Value, b: &Value, order: &[&str]) -> Ordering {
    let field = |record: &Value, name: &str| -> Value {
        match name.strip_prefix("version.") {
            Some(part) => record["tool_version"][part].clone(),
            None => record.pointer(&format!("/{}", name.replace('.', "/"))).unwrap().clone(),
        }
    };
    let by = |name: &str| match (field(a, name), field(b, name)) {
        (Value::Number(a), Value::Number(b)) => a.as_u64().cmp(&b.as_u64()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
        // Without the `Z`, times whose fractions differ in length sort as texts, too.
        (a, b) => a.as_str().unwrap().trim_end_matches('Z').cmp(b.as_str().unwrap().trim_end_matches('Z')),
    };
    let mut ordering = Ordering::Equal;
    for name in order {
        let by_field = by(&name[1..]);
        ordering = ordering.then(if name.starts_with('-') { by_field.reverse() } else { by_field });
    }
    ordering.then_with(|| by("id"))
}

async fn what_is_no_list_is_refused(client: &Client, first: &str, second: &str) {
    let get = async |query: &str| client.get(&format!("tool/invocation?{query}")).await;
    get(&format!("tool_id={first}&tool_id={second}&version=1.0.0")).await.detail(400);
    get("version=1.0.0").await.detail(400);
    for (query, loc) in [
        (format!("tool_id={first}&tool_id={first}"), json!(["query", "tool_id", 1])),
        ("tool_id=first".to_owned(), json!(["query", "tool_id", 0])),
        (format!("tool_id={first}&version=latest"), json!(["query", "version", 0])),
        ("conversation_id=a&conversation_id=a".to_owned(), json!(["query", "conversation_id", 1])),
        ("sort_by=-duration_ms".to_owned(), json!(["query", "sort_by", 0])),
        ("succeeded=perhaps".to_owned(), json!(["query", "succeeded", 0])),
        ("invocation_source_type=regular".to_owned(), json!(["query", "invocation_source_type", 0])),
        ("limit=0".to_owned(), json!(["query", "limit"])),
        ("limit=101".to_owned(), json!(["query", "limit"])),
        ("continuation_token=-1".to_owned(), json!(["query", "continuation_token"])),
        ("continuation_token=9007199254740991".to_owned(), json!(["query", "continuation_token"])),
    ] {
        let refused = get(&query).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], loc, "{query}: {refused}");
    }
}

async fn new_records_make_no_page_repeat_or_skip_any(client: &Client, tool: &str) {
    let source = json!({"type": "regular-conversation", "user_id": client.key.user_id});
    for query in ["sort_by=-created_at", "sort_by=%2Btool_id&sort_by=-invocation_status.succeeded"] {
        let before = pages(client, query, 100).await;
        let (mut seen, mut token) = (Vec::new(), json!(0));
        while !token.is_null() && seen.len() < 2 * before.len() {
            let page =
                client.get(&format!("tool/invocation?limit=9&continuation_token={token}&{query}")).await.expect(200);
            seen.extend(page["tool_invocations"].as_array().unwrap().clone());
            token = page["continuation_token"].clone();
            order(client, tool, "1.0.0", &source, &[1]).await;
        }
        let unique: BTreeSet<_> = ids(&seen).into_iter().collect();
        assert_eq!(unique.len(), seen.len(), "a page repeats an entry");
        let known: BTreeSet<_> = ids(&before).into_iter().collect();
        seen.retain(|record| known.contains(record["id"].as_str().unwrap()));
        assert_eq!(ids(&seen), ids(&before), "a page skips an entry");
    }
}
