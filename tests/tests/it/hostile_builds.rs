//! Hostile projects: what they do while they are imported, through the real server, each refused with what it ran into,
//! while the calls of a well-behaved neighbour keep succeeding.

use crate::dependencies::write_project;
use crate::hostile::beside_a_neighbour;
use crate::server::Server;

/// Small limits, so that they are reached soon.
const SETTINGS: &str = "[build]\nwall_clock_s = 3\nmemory_mib = 96\ntmp_mib = 4\ntmp_files = 64\n";

const LONG: &str = "pyproject.toml:6: importing the tool took longer than 3 s, the limit of a build";
const LARGE: &str = "src/tool.py:2: importing the tool took more than 96 MiB of memory, the limit of a build";

/// What a module does when it is imported, and what its author is told.
const TRICKS: [(&str, &str, &str); 12] = [
    ("an_endless_loop", "while True: pass", LONG),
    ("an_endless_loop_in_c", "sum(range(10**12))", LONG),
    ("a_flood_of_memory", "held = []\nwhile True: held.append(bytearray(1 << 20))", LARGE),
    ("a_full_tmp", "open('/tmp/one', 'wb').write(bytes(8 << 20))", "No space left on device"),
    ("many_files", "for n in range(100): open(f'/tmp/{n}', 'w').close()", "No space left on device"),
    ("a_recursion", "def f(): return f()\nf()", "RecursionError"),
    ("a_recursion_in_c", "import json\njson.loads('[' * 10**6)", "recursed too deeply"),
    ("an_exit", "import os\nos._exit(0)", "ended"),
    ("a_polite_exit", "raise SystemExit(0)", "SystemExit"),
    ("an_abort", "import os\nos.abort()", "abort"),
    ("a_subprocess", "import subprocess\nsubprocess.run(['id'])", "cannot be used"),
    ("a_file_of_the_host", "open('/etc/passwd').read()", "No such file or directory"),
];

#[tokio::test]
async fn what_a_project_does_while_it_is_imported_stays_within_its_limits() {
    let server = Server::start_with(SETTINGS).await;
    let (author, client) = (server.author("work"), &server.client);
    author.push(&["counter"]);
    let (tool, counter) = (client.create_tool("hostile").await, client.create_tool("counter").await);
    client.publish(&counter, "counter", "major").await.expect(201);
    for (trick, code, _) in TRICKS {
        let code = format!("{code}\n\n\ndef answer() -> str:\n    return ''\n");
        write_project(&server.installation.path(&format!("work/{trick}")), &[], &code);
    }
    author.push(&[]);

    let tricks = async {
        let mut wrong = Vec::new();
        for (trick, _, told) in TRICKS {
            let answer = client.publish(&tool, trick, "major").await;
            let detail = answer.json.to_string();
            if answer.status != 400 || !detail.contains(told) {
                wrong.push(format!("{trick}: {} {detail}", answer.status));
            }
        }
        wrong
    };
    beside_a_neighbour(client, &counter, tricks).await;
    assert!(client.versions(&tool).await.is_empty());
}
