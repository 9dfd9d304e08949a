//! Tools that fail: each failure is a result with a name, and none of them is an error of the server.

use serde_json::json;

use crate::client::{failed, succeeded};
use crate::server::Server;

#[tokio::test]
async fn an_exception_answers_its_type_its_message_and_the_authors_own_frames() {
    let (server, tool) = Server::with_tool("raises").await;

    let too_many = server.client.result(&tool, json!({"article": "cup", "amount": 5})).await;

    let frames = [
        "File \"src/raises.py\", line 7, in order\n    return shelf.take(article, amount)",
        "File \"src/stock.py\", line 14, in take\n    check(self._articles[article])",
        "File \"src/stock.py\", line 12, in check\n    raise OutOfStock(f\"{there} of {article} left, {amount} wanted\")",
    ];
    assert_eq!(too_many, failed("stock.OutOfStock", "3 of cup left, 5 wanted", &frames));

    let few = server.client.result(&tool, json!({"article": "cup", "amount": 2})).await;
    assert_eq!(few, succeeded("2 x cup"));

    let recorded = server.client.invocations("succeeded=false").await;
    let statuses: Vec<_> = recorded.iter().map(|invocation| &invocation["invocation_status"]).collect();
    assert_eq!(statuses, [&too_many]);
}

#[tokio::test]
async fn a_tool_that_sleeps_is_stopped_at_its_own_time_limit_and_its_prints_are_kept() {
    let (server, tool) = Server::with_tool("sleeps_forever").await;

    let result = server.client.result(&tool, json!({})).await;

    assert_eq!(result, failed("ToolTimeout", "the tool was stopped at its time limit of 2.5s", &[]));
    let id = server.client.invocations("").await[0]["id"].as_str().unwrap().to_owned();
    let invocation = server.client.get(&format!("tool/invocation/{id}")).await.expect(200);
    assert_eq!(invocation["logs"], "good night\n");
}

#[tokio::test]
async fn a_tool_that_takes_too_much_memory_fails_where_it_asked_for_it() {
    let (server, tool) = Server::with_tool("eats_memory").await;

    let parameters = [json!({"mebibytes": 200}), json!({"mebibytes": 10})];
    let answers = server.client.results(&tool, &parameters).await;

    let message = "the tool needed more than its memory limit of 64 MiB";
    let frame = "File \"src/eats_memory.py\", line 3, in eat\n    held = [bytes(1 << 20) for _ in range(mebibytes)]";
    assert_eq!(answers[0], failed("ToolOutOfMemory", message, &[frame]));
    assert_eq!(answers[1], succeeded("10"));
}

#[tokio::test]
async fn a_tool_may_survive_the_refusal_of_memory() {
    let (server, tool) = Server::with_tool("survives_memory_error").await;

    let answers = server.client.results(&tool, &[json!({"mebibytes": 200}), json!({"mebibytes": 10})]).await;

    assert_eq!(answers, [succeeded("200 MiB were refused"), succeeded("10 MiB were given")]);
}

#[tokio::test]
async fn a_tool_that_ends_its_interpreter_is_a_crash_and_a_polite_exit_is_an_exception() {
    let (server, tool) = Server::with_tool("exits").await;

    let answers = server.client.results(&tool, &[json!({}), json!({"politely": true})]).await;

    assert_eq!(answers[0]["exception_type"], "ToolCrashed");
    // WASI 0.2 tells success from failure and nothing more, so the status that the author chose is not in the message.
    let message = answers[0]["exception_message"].as_str().unwrap();
    assert!(message.starts_with("the tool ended its own process"), "{message}");
    assert_eq!(answers[0]["exception_stack_trace"], json!([]));
    let frame = "File \"src/exits.py\", line 8, in leave\n    sys.exit(3)";
    assert_eq!(answers[1], failed("SystemExit", "3", &[frame]));

    let (status, _) = server.client.page("/healthz").await;
    assert_eq!(status, 200, "the server outlives its tools");
}

#[tokio::test]
async fn a_tool_that_has_no_room_in_its_memory_is_refused_and_one_that_lost_it_is_told() {
    let server = Server::start().await;
    let tool = server.client.create_tool("counter").await;
    let author = server.author("work");
    author.push(&["counter"]);
    server.client.publish(&tool, "counter", "major").await.expect(201);
    let manifest = fs_err::read_to_string(author.folder().join("counter/pyproject.toml")).unwrap();
    author.write("counter/pyproject.toml", format!("{manifest}\nmemory = \"8MiB\"\n"));
    author.commit();
    author.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let detail = server.client.publish(&tool, "counter", "minor").await.detail(400);
    assert!(detail.contains("its memory limit is 8 MiB") && detail.contains("raise `memory`"), "{detail}");

    let installation = server.kill();
    installation.configure("[invoke]\nmemory_mib = 9\n[build]\nmax_component_mib = 1\n");
    let server = Server::start_on(installation).await;
    let result = server.client.result(&tool, json!({})).await;
    assert_eq!(result["exception_type"], "ToolOutOfMemory");
    let message = result["exception_message"].as_str().unwrap();
    assert!(message.contains("MiB before it is called") && message.contains("memory limit of 9 MiB"), "{message}");

    author.write("counter/pyproject.toml", format!("{manifest}\ntimeout = \"3s\"\n"));
    author.commit();
    let remote = server.client.remote();
    author.git(&["push", "--quiet", &remote, "HEAD:main"]);
    let detail = server.client.publish(&tool, "counter", "minor").await.detail(400);
    assert!(detail.contains("and may have 1") && detail.contains("`build.max_component_mib`"), "{detail}");
}
