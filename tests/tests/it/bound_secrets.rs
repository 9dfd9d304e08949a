//! Secrets that are bound to hosts: the server gets them, and nothing of them is ever in the sandbox.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::networked::{self, Networked};
use crate::web::Web;

const KEY: &str = "sk-live-4f9ac1b27d";
const OTHER: &str = "another-key-8812";

struct Asked {
    answer: Value,
    /// All that the guest had in memory when it ended.
    memory: Vec<u8>,
}

async fn ask(tool: &Networked, way: &str, path: &str, port: u16) -> Asked {
    let dump = tool.file.with_extension("memory");
    let input = json!({"way": way, "path": path, "port": port});
    let arguments = ["--secret", &format!("API_KEY={KEY}"), "--secret", &format!("OTHER_KEY={OTHER}")];
    let dumped = ["--dump-memory", dump.to_str().unwrap()];
    let report = tool.run_with(&input, &[&arguments[..], &dumped].concat()).await;
    Asked { answer: networked::output(&report), memory: fs_err::read(&dump).unwrap() }
}

/// How a memory may hold a text.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned(), text.chars().rev().collect(), hex::encode(text)];
    // As base64 at each of its three offsets, without what the neighbours have a part in.
    for offset in 0..3 {
        let encoded = BASE64_STANDARD.encode([&vec![0; offset], text.as_bytes()].concat());
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    // As one of CPython's texts of two and of four bytes a character.
    forms.extend(["\0", "\0\0\0"].map(|rest| text.chars().flat_map(|c| [c.to_string(), rest.to_owned()]).collect()));
    forms
}

/// All forms are ASCII, which stays as it is when the rest is made a text.
fn holds(memory: &[u8], text: &str) -> bool {
    let memory = String::from_utf8_lossy(memory);
    forms(text).iter().any(|form| memory.contains(form))
}

#[tokio::test]
async fn a_server_gets_what_the_sandbox_never_has() {
    let tool = Networked::new("bound_secret").await;
    let Web { http, https, .. } = tool.web;
    let mask = "*".repeat(KEY.len());
    let digest = |text: &str| json!(hex::encode(Sha256::digest(text)));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("ada:{KEY}")));
    for (way, place, sent) in [
        ("bearer", "/authorization", format!("Bearer {KEY}")),
        ("basic", "/authorization", basic),
        ("query", "/query", format!("key={KEY}&q=1")),
    ] {
        let asked = ask(&tool, way, "/digest", https).await;
        assert_eq!(asked.answer["seen"].pointer(place), Some(&digest(&sent)), "{way}: {}", asked.answer);
        assert!(!holds(&asked.memory, KEY), "{way}: the secret is in the sandbox's memory");
        assert!(holds(&asked.memory, OTHER), "{way}: a secret that is not bound is in memory, or nobody has looked");
    }
    // A server that repeats what it was sent.
    for (way, path, place, seen) in [
        ("bearer", "/", "/headers/authorization", format!("Bearer {mask}")),
        ("bearer", "/hex", "/authorization", format!("{}{mask}{mask}", hex::encode("Bearer "))),
        ("query", "/", "/query", format!("key={mask}&q=1")),
        ("basic", "/", "/headers/host", format!("api.test:{https}")),
    ] {
        let asked = ask(&tool, way, path, https).await;
        assert_eq!(asked.answer["seen"].pointer(place), Some(&json!(seen)), "{way}: {}", asked.answer);
        assert!(!holds(&asked.memory, KEY), "{way}: what came back is in the sandbox's memory: {}", asked.answer);
    }
    for (way, path, port, status, told) in [
        ("packed", "/gzip", https, 502, "may hold a bound secret"),
        ("elsewhere", "/", https, 421, "API_KEY is bound to other hosts"),
        ("plainly", "/", http, 421, "goes over https only"),
    ] {
        let asked = ask(&tool, way, path, port).await;
        assert_eq!(asked.answer["status"], status, "{way}: {}", asked.answer);
        assert!(asked.answer["told"].as_str().unwrap().contains(told), "{way}: {}", asked.answer);
        assert!(!holds(&asked.memory, KEY), "{way}: the secret is in the sandbox's memory");
    }
}
