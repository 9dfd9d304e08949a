use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::testing::{OPTIONS, acme, assorted, open_in, someone, tool, version};
use super::super::{Build, ScopeKey};
use super::*;
use crate::model::{ToolVersion, Version};

/// A store with something in every tree, and nothing wrong.
async fn filled(folder: &Path) -> Store {
    let store = open_in(folder);
    let role = RoleName::administrator();
    let roles = [Role { name: role.clone(), permission_grants: Vec::new() }];
    let (created_at, role_name) = (Timestamp::UNIX_EPOCH, role.clone());
    let user = User { id: UserId::new(), home: None, name: None, created_at, role_name };
    let key_sha256 = "00".repeat(32);
    let expires_at = created_at;
    let api_key = ApiKey { id: ApiKeyId::new(), name: None, key_sha256, role_name: role, created_at, expires_at };
    store.create_organization(&acme(), &roles, &user, &api_key).await.unwrap();

    let component_sha256 = store.blobs().put(b"component").unwrap();
    let build = Build {
        component_sha256: component_sha256.clone(),
        component_size_bytes: 9,
        description: serde_json::json!({}),
        built_at: created_at,
    };
    store.put_build(&acme(), "key", &build).await.unwrap();
    store.put_lock(&acme(), "tree", &"lock".repeat(2000)).await.unwrap();
    store.put_pusher(&acme(), vec!["c0".repeat(20)], &someone()).await.unwrap();
    for name in ["weather", "rates"] {
        let tool = tool(name);
        store.create_tool(&acme(), &tool).await.unwrap();
        for number in ["1.0.0", "1.1.0"] {
            let version = ToolVersion { component_sha256: component_sha256.clone(), ..version(tool.id, number) };
            store.insert_version(&acme(), &version).await.unwrap();
        }
        store.deprecate_versions(&acme(), tool.id, &[Version::FIRST], &someone(), created_at).await.unwrap();
    }
    let mut random = StdRng::seed_from_u64(1);
    for batch in assorted(&mut random, 4100).chunks(1000) {
        store.record_invocations(&acme(), batch).await.unwrap();
    }
    let scope: ScopeKey = [7; 56];
    let expires_at = Timestamp::now();
    let result =
        FirstResult { fingerprint: String::new(), version: Version::FIRST, invocations: Vec::new(), expires_at };
    store.record_once(&acme(), &[], Some((&scope, &result))).await.unwrap();
    store
}

#[tokio::test]
async fn what_is_whole_is_found_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let findings = store.verify(Mode::Look).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    assert!(findings.rows > 4100 && findings.blobs > 2, "{findings:?}");
    // The rows of two versions as they were before they were deprecated.
    assert_eq!((findings.unused_blobs, findings.mended), (2, 0));
}

#[tokio::test]
async fn every_index_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let indexes = [&store.tool_names, &store.active_versions, &store.version_counts, &store.idempotency_expiries];
    let before: Vec<Vec<_>> = indexes.iter().map(|tree| tree.iter().collect::<sled::Result<_>>().unwrap()).collect();
    for tree in indexes {
        tree.clear().unwrap();
    }
    let key = rows::key(&acme(), &[b"of_nothing"]);
    store.tool_names.insert(key, rows::MARK).unwrap();
    let chunk = store.invocation_chunks.first().unwrap().unwrap().0;
    let other = rows::encode(&serde_json::json!({"sha256": "00".repeat(32)}), &mut Vec::new()).unwrap();
    store.invocation_chunks.insert(chunk, other).unwrap();
    let unused = store.blobs().put(b"nobody names it").unwrap();

    let looked = store.verify(Mode::Look).unwrap();
    assert_eq!(looked.problems.len(), 2 + 2 + 2 + 1 + 1 + 1, "{:#?}", looked.problems);
    // The chunk's own blob is named by nothing any more, too.
    assert_eq!((looked.unused_blobs, looked.mended), (4, 0));

    let mended = store.verify(Mode::Rebuild).unwrap();
    assert!(mended.is_good(), "{:#?}", mended.problems);
    assert_eq!(mended.mended, looked.problems.len() as u64 + 4);
    assert!(!store.blobs().contains(&unused));
    let after: Vec<Vec<_>> = indexes.iter().map(|tree| tree.iter().collect::<sled::Result<_>>().unwrap()).collect();
    assert_eq!(before, after);
    let again = store.verify(Mode::Look).unwrap();
    assert!(again.is_good() && again.unused_blobs == 0, "{again:?}");
}

#[tokio::test]
async fn what_cannot_be_made_again_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let blob = super::super::blobs::name_of(b"component");
    fs_err::write(store.blobs().path(&blob), b"else").unwrap();
    let key = rows::key(&acme(), &[&4097_u64.to_be_bytes()]);
    store.invocations.remove(key).unwrap();
    let user = store.users.first().unwrap().unwrap().0;
    store.users.insert(user, b"\x07{}").unwrap();
    store.close().await.unwrap();

    // The numbers have a gap, so it does not open to be served, and says what to do.
    let refused = Store::open(folder.path(), OPTIONS).err().unwrap();
    assert!(said(&refused).contains("control-plane verify"), "{}", said(&refused));
    let store = Store::open_to_verify(folder.path(), OPTIONS).unwrap();
    let unused = store.blobs().put(b"nobody names it, as far as one can tell").unwrap();
    let found = store.verify(Mode::Rebuild).unwrap();
    let told = found.problems.join("\n");
    for expected in [
        &format!("blob {blob}: it holds something else"),
        "numbers are missing before it: records are lost",
        "users acme/",
        "format 7",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(store.blobs().contains(&unused), "where rows cannot be read, nothing is removed");
}
