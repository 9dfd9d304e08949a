//! Clients of other protocols than HTTP, unmodified: Redis, PostgreSQL, SMTP and IMAP, with real servers.

mod imap;
mod servers;

use serde_json::{Value, json};

use crate::clients;
use crate::fetched::missing;
use crate::networked::{Networked, output};
use crate::web::Web;

#[tokio::test]
async fn unmodified_clients_of_databases_and_mail_servers_work() {
    let Some(wheels) = clients::wheels() else { return };
    let (web, folders) = (Web::start().await, [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let redis = servers::redis(&web, folders[0].path());
    let postgres = servers::postgres(&web, folders[1].path());
    let mut smtp = servers::smtp(&web, &wheels);
    let imap = imap::serve(web.acceptor.clone()).await;
    let named = [7379, 7380].into_iter().zip(redis.iter().flat_map(|server| server.ports.clone()));
    let named = named.chain(postgres.iter().map(|server| (7432, server.ports[0])));
    let ports: Vec<_> = named.chain([(7587, smtp.ports[0]), (7143, imap)]).collect();
    let tool = Networked::with("raw_clients", web, &ports, Some(&wheels)).await;

    mail_is_sent_and_read_after_starttls(&tool, &mut smtp, imap).await;
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

async fn mail_is_sent_and_read_after_starttls(tool: &Networked, smtp: &mut servers::Server, imap: u16) {
    let sent = used(tool, "mail", "sends", &smtp.ports).await;
    assert_eq!(sent, json!({"starttls": true, "refused": {}, "wrong": 535}));
    let arrived: Value = serde_json::from_str(&smtp.line()).unwrap();
    let expected = json!({
        "from": "tool@example.test",
        "to": ["ada@example.test"],
        "subject": "Grüße",
        "body": "Hello.\n.\nA line that begins with a dot came before this one.\n",
        "attachment": 102_400,
        "encrypted": true,
    });
    assert_eq!(arrived, expected);

    let read = used(tool, "mail", "reads", &[imap]).await;
    assert_eq!((&read["count"], &read["numbers"]), (&json!("1"), &json!("1 2")));
    assert_eq!(read["attachment"], json!(["all.bin", true]));
}

async fn used(tool: &Networked, library: &str, what: &str, ports: &[u16]) -> Value {
    output(&tool.run(&json!({"library": library, "what": what, "ports": ports}), &[]).await)
}
