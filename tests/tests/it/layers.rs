//! The arrows of the architecture, checked against what the code names: a text search would miss nested imports.

mod names;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::programs;

/// The crates that each crate may depend on. Nothing depends on `tests` and `benches`, which may depend on anything.
const CRATES: [(&str, &[&str]); 4] =
    [("control-plane", &["runtime", "sdk"]), ("runtime", &["sdk", "wit"]), ("sdk", &["wit"]), ("wit", &[])];

const SERVICE: &str = "control-plane/src";

/// Libraries, and the only places that may name them.
const LIBRARIES: [(&[&str], &[&str]); 5] = [
    (&["axum", "tower_http"], &["control-plane/src/api", "control-plane/src/lib.rs", "control-plane/src/main.rs"]),
    (&["sled"], &["control-plane/src/store"]),
    (&["gix"], &["control-plane/src/git"]),
    (&["tantivy"], &["control-plane/src/search"]),
    (&["wasmtime", "wasmtime_wasi"], &["runtime/src", "sdk/src/snapshot.rs", "sdk/src/sandbox"]),
];

/// Modules of the control plane, and those that they must not name.
const MODULES: [(&str, &[&str]); 6] = [
    ("domain", &["api"]),
    ("store", &["api", "app", "domain", "git", "search", "vault"]),
    ("git", &["api", "app", "domain", "search", "store", "vault"]),
    ("search", &["api", "app", "domain", "git", "store", "vault"]),
    ("vault", &["api", "app", "domain", "git", "search", "store"]),
    ("model", &["api", "app", "auth", "config", "domain", "error", "git", "metrics", "search", "store", "vault"]),
];

/// Where the `git` program may be started: by what serves its protocol, and by the demo, which is a user of it.
const GIT_PROGRAM: [&str; 2] = ["control-plane/src/git", "control-plane/src/commands/demo"];

#[test]
fn crates_depend_on_each_other_one_way() {
    let mut broken = Vec::new();
    for (name, allowed) in members().iter().filter_map(|name| CRATES.iter().find(|(known, _)| known == name)) {
        let manifest = fs_err::read_to_string(programs::workspace().join(name).join("Cargo.toml")).unwrap();
        broken.extend(broken_dependencies(name, allowed, &manifest));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn code_names_only_what_its_layer_may_name() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files were found", sources.len());
    let broken: Vec<_> = sources.iter().flat_map(|(file, text)| broken_arrows(file, text)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_what_may_starts_the_git_program() {
    let starts = |text: &str| text.split_whitespace().collect::<String>().contains("Command::new(\"git\")");
    let is_program = |file: &str| file.split('/').nth(1) == Some("src") && !file.starts_with("tests/");
    let sources = sources();
    let started: Vec<_> = sources.iter().filter(|(file, text)| is_program(file) && starts(text)).collect();
    assert!(started.len() >= 2, "the rule looks for a program that is started in another way: mend it");
    for (file, _) in started {
        assert!(GIT_PROGRAM.iter().any(|place| Path::new(file).starts_with(place)), "{file} starts the `git` program");
    }
}

#[test]
fn every_place_that_a_rule_names_exists() {
    let places = LIBRARIES.iter().flat_map(|(_, places)| places.iter().copied().map(PathBuf::from));
    let places = places.chain(GIT_PROGRAM.map(PathBuf::from));
    let modules = MODULES.iter().map(|(module, _)| Path::new(SERVICE).join(module));
    for place in places.chain(modules) {
        let path = programs::workspace().join(&place);
        assert!(path.exists() || path.with_extension("rs").exists(), "{} is gone: mend the rule", place.display());
    }
}

#[test]
fn a_broken_arrow_is_found_however_it_is_written() {
    let sources = [
        "use crate::{error::Error, api::{self as edge, page}};",
        "use super::super::api::page::Page;",
        "mod inner { use super::super::super::api; }",
        "fn f() { let page = crate::api::page::Page::first(); }",
        "fn f(page: &Vec<crate::api::Page>) {}",
        "fn f() { println!(\"{}\", crate::api::name()); }",
        "macro_rules! page { () => { use $crate::{error, api}; } }",
        "#[derive(crate::api::Page)] struct S;",
        "pub(in crate::api) struct S;",
        "use crate::*;",
    ];
    for source in sources {
        let broken = broken_arrows("control-plane/src/store/tools.rs", source);
        assert_eq!(broken.len(), 1, "{source}: {broken:?}");
        assert!(broken[0].starts_with("control-plane/src/store/tools.rs names `crate::"), "{broken:?}");
        assert!(broken[0].ends_with("the arrow from `store` to `api` is broken"), "{broken:?}");
    }
    for source in ["use std::{io, {sled::Tree}};", "extern crate sled;", "use ::sled as database;", "m!(sled::open);"] {
        let broken = broken_arrows("control-plane/src/domain/tools.rs", source);
        assert_eq!(broken.len(), 1, "{source}: {broken:?}");
        assert!(broken[0].contains("only control-plane/src/store may name `sled`"), "{broken:?}");
    }
}

#[test]
fn what_only_looks_like_an_arrow_is_let_pass() {
    let source = "
        //! `crate::api` and sled are mentioned.
        use crate::model::Tool;
        use super::error::StoreError;
        mod inner { use super::rows; use crate::error::api as other; }
        fn f() { println!(\"crate::api, axum\"); let tool = other::api(); }
    ";
    assert_eq!(broken_arrows("control-plane/src/store/tools.rs", source), Vec::<String>::new());
    assert_eq!(broken_arrows("control-plane/src/store/mod.rs", "use sled::Tree;"), Vec::<String>::new());
    assert_eq!(broken_arrows("control-plane/src/storehouse.rs", "use sled::Tree;").len(), 1);
}

#[test]
fn a_dependency_that_points_back_is_found() {
    let manifest = "[dependencies]\nwit.workspace = true\n[dev-dependencies]\ncontrol-plane.workspace = true\n\
                    [target.'cfg(unix)'.build-dependencies]\nruntime = { path = \"../runtime\" }\n";
    let broken = broken_dependencies("sdk", &["wit"], manifest);
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].ends_with("the arrow from `sdk` to `control-plane` is broken"), "{broken:?}");
}

/// What a source text names against the rules, a line each.
fn broken_arrows(file: &str, source: &str) -> Vec<String> {
    let mut broken = BTreeMap::new();
    let layer = Path::new(file).strip_prefix(SERVICE).ok().map(names::module_of).unwrap_or_default();
    let forbidden = MODULES.iter().find(|(module, _)| layer.first().is_some_and(|layer| layer == module));
    for path in names::paths_in(&names::module_of(Path::new(file)), source) {
        let written = path.join("::");
        for (libraries, places) in LIBRARIES {
            let library = path.iter().find(|name| libraries.contains(&name.as_str()));
            if let Some(library) = library.filter(|_| !places.iter().any(|place| Path::new(file).starts_with(place))) {
                let places = places.join(", ");
                broken.insert(library.clone(), format!("{file} names `{written}`: only {places} may name `{library}`"));
            }
        }
        if let (Some((module, forbidden)), [root, target, ..]) = (forbidden, &path[..])
            && root == "crate"
            && let Some(target) = forbidden.iter().find(|name| target == **name || target == "*")
        {
            let why = format!("the arrow from `{module}` to `{target}` is broken");
            broken.insert((*target).to_owned(), format!("{file} names `{written}`: {why}"));
        }
    }
    broken.into_values().collect()
}

/// The dependencies of a manifest on crates of ours that are not allowed, a line each.
fn broken_dependencies(name: &str, allowed: &[&str], manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let dependencies = [&manifest].into_iter().chain(tables).flat_map(|table| kinds.map(|kind| table.get(kind)));
    let named = dependencies.flatten().filter_map(toml::Value::as_table).flat_map(toml::Table::keys);
    named
        .filter(|target| members().contains(target) && !allowed.contains(&target.as_str()))
        .map(|target| format!("{name}/Cargo.toml names `{target}`: the arrow from `{name}` to `{target}` is broken"))
        .collect()
}

/// The workspace's crates, by their folders.
fn members() -> Vec<String> {
    let manifest = fs_err::read_to_string(programs::workspace().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// Every source file of the workspace, by its path in it.
fn sources() -> Vec<(String, String)> {
    let mut folders: Vec<_> = members().iter().map(|member| programs::workspace().join(member)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(programs::workspace()).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push((file, fs_err::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}
