//! The lines to go on with.

use super::server::Site;
use super::visit;

/// How to go on with the server that the demo leaves running.
pub fn to_a_running_server(site: &Site, tool_id: &str) {
    println!("\nAll of it worked. The server runs at {} until Ctrl-C. To go on:\n", site.origin);
    println!("  API_KEY={} API_KEY_ID={} USER_ID={}", site.api_key.expose(), site.api_key_id, site.user_id);
    println!("  TOOL_ID={tool_id}");
    print_requests(&site.origin, &site.organization);
}

/// How to start a server that lasts.
pub fn to_a_stopped_server() {
    let program = std::env::args().next().unwrap_or_else(|| "control-plane".to_owned());
    println!("\nAll of it worked. To go on with a server that lasts (or run `{program} demo --keep`):\n");
    println!("  {program} init-org acme --data toolplane-data   # prints what API_KEY, API_KEY_ID and USER_ID are");
    println!("  {program} serve --data toolplane-data --listen 127.0.0.1:8080");
    print_requests("http://127.0.0.1:8080", "acme");
}

fn print_requests(origin: &str, organization: &str) {
    let base = format!("{origin}/v1/{organization}");
    println!(
        r#"
  TOKEN=$(curl -s -X POST {base}/user/signin_with_api_key \
    -H "x-api-key: $API_KEY" -H "x-api-key-id: $API_KEY_ID" -H "x-user-id: $USER_ID" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["id_token"])')

  curl -s {base}/tool/ -H "Authorization: Bearer $TOKEN"
  curl -s {base}/tool/$TOOL_ID/version/1.0.1/invoke -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -d '{body}'
  git -c http.extraHeader="Authorization: Bearer $TOKEN" clone {base}/tool/git tools
  curl -s {origin}/metrics"#,
        body = visit::invocation(&visit::input()),
    );
}
