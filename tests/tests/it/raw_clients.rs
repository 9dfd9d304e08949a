//! Clients of other protocols than HTTP, unmodified: Redis, PostgreSQL, SMTP and IMAP, with real servers.

mod account;
mod databases;
mod mail;
mod program;

use serde_json::{Value, json};

use self::program::Program;
use crate::fetched::{self, missing};
use crate::networked::{Networked, output};
use crate::web::Web;

/// What the tool needs and what the SMTP server needs, each in one version.
const PINS: &str = include_str!("../../tools/raw_clients/wheels.txt");

#[tokio::test]
async fn unmodified_clients_of_databases_and_mail_servers_work() {
    let Some(wheels) = fetched::wheels("raw_clients", &PINS.lines().collect::<Vec<_>>()) else { return };
    let web = Web::start().await;
    let (redis, postgres, smtp, imap) =
        tokio::join!(databases::redis(&web), databases::postgres(&web), mail::smtp(&web, &wheels), mail::imap(&web));
    let ports = |server: &Option<Program>| server.as_ref().map(|server| server.ports.clone()).unwrap_or_default();
    // The ports that the project names, and the real ones.
    let pairs = [7379, 7380].into_iter().zip(ports(&redis));
    let pairs = pairs.chain([7432].into_iter().zip(ports(&postgres))).chain([7143].into_iter().zip(ports(&imap)));
    let pairs: Vec<_> = pairs.chain([(7587, smtp.ports[0])]).collect();
    let tool = Networked::with("raw_clients", web, &pairs, Some(&wheels)).await;

    mail_is_sent_after_starttls(&tool, &smtp).await;
    match &imap {
        Some(server) => mail_is_read_after_starttls(&tool, &server.ports).await,
        None => missing("there is no program `dovecot`"),
    }
    match &redis {
        Some(server) => redis_in_plain_text_and_with_tls(&tool, &server.ports).await,
        None => missing("there is no program `redis-server`"),
    }
    match &postgres {
        Some(server) => postgres_with_tls_and_a_password_bound_to_it(&tool, &server.ports).await,
        None => missing("there are no programs `initdb` and `postgres`"),
    }
}

async fn redis_in_plain_text_and_with_tls(tool: &Networked, ports: &[u16]) {
    let seen = used(tool, "redis", "works", ports).await;
    let wrong = "value is not an integer or out of range";
    assert_eq!(seen["seen"], json!(["hello", {"a": "1", "b": "2"}, -1, wrong, true, "hello"]));
    // More replies than fit between the guest and the host, before the guest reads the first of them.
    let replies = used(tool, "redis", "pipelines", &[ports[0], 30_000]).await;
    assert_eq!(replies, json!({"replies": 30_000, "last": "29999"}));
    let seen = used(tool, "redis", "works_async", ports).await;
    assert_eq!(seen, json!({"replies": [true, 2, "2"], "message": "news"}));
}

async fn postgres_with_tls_and_a_password_bound_to_it(tool: &Networked, ports: &[u16]) {
    let expected = json!({
        "found": true,
        "version": "PostgreSQL",
        "encrypted": true,
        "sizes": 500_000,
        "wrong": "relation \"nowhere\" does not exist",
        "count": 20,
    });
    assert_eq!(used(tool, "pg8000", "works", ports).await, expected);
}

async fn mail_is_sent_after_starttls(tool: &Networked, smtp: &Program) {
    let sent = used(tool, "mail", "sends", &smtp.ports).await;
    assert_eq!(sent, json!({"starttls": true, "refused": {}, "wrong": 535}));
    // The server writes a message down before it says that it took it.
    let arrived = fs_err::read_to_string(smtp.file(mail::MESSAGES)).unwrap();
    let expected = json!({
        "from": "tool@example.test",
        "to": ["ada@example.test"],
        "subject": "Grüße",
        "body": "Hello.\n.\nA line that begins with a dot came before this one.\n",
        "attachment": 102_400,
        "encrypted": true,
    });
    assert_eq!(serde_json::from_str::<Value>(&arrived).unwrap(), expected);
}

async fn mail_is_read_after_starttls(tool: &Networked, ports: &[u16]) {
    let expected = json!({
        "counts": ["0", "1"],
        "numbers": "1",
        "subject": "Grüße",
        "attachment": ["all.bin", true],
        "flagged": true,
        "wrong": "[AUTHENTICATIONFAILED] Authentication failed.",
    });
    assert_eq!(used(tool, "mail", "reads", ports).await, expected);
}

async fn used(tool: &Networked, library: &str, what: &str, ports: &[u16]) -> Value {
    output(&tool.run(&json!({"library": library, "what": what, "ports": ports}), &[]).await)
}
