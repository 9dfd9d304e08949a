//! Toolplane as an outside client meets it: the real binaries, the real `git`, real sandboxes.
//!
//! The harness is [`programs`] (where the binaries are), [`server`] (a control plane in a temporary folder), [`client`]
//! (its HTTP contract), [`author`] (who pushes with `git`), [`web`] (servers for tools to talk to), [`networked`] (a tool
//! that talks to them), [`fetched`] (real packages), [`disk`] (file systems of a test's own) and [`wire`] (who speaks HTTP byte by byte). Each other module is a
//! subject with its tests; each test has a server of its own. A publish takes seconds, so a test asserts all that it can
//! about one published tool.

mod author;
mod client;
mod disk;
mod fetched;
mod networked;
mod programs;
mod server;
mod web;
mod wire;

mod access;
mod admission;
mod answers;
mod api_keys;
mod auth_matrix;
mod authoring;
mod backups;
mod bound_secrets;
mod branches;
mod broken;
mod clients;
mod commits;
mod corpus;
mod crashes;
mod dependencies;
mod dev;
mod directories;
mod examples;
mod failures;
mod files;
mod full_disk;
mod git_clients;
mod git_crashes;
mod git_maintenance;
mod git_memory;
mod git_protocol;
mod git_pushes;
mod git_requests;
mod guests;
mod hostile;
mod hostile_builds;
mod idempotency;
mod inputs;
mod invocation_pages;
mod invocation_search;
mod invocations;
mod isolation;
mod killing;
mod layers;
mod local;
mod merged;
mod monitoring;
mod native_builds;
mod natives;
mod network;
mod operations;
mod ordinary;
mod own_tests;
mod power;
mod publish_events;
mod publishing;
mod rate_limits;
mod raw_clients;
mod rejections;
mod repository;
mod restart;
mod roles;
mod scaffold;
mod scratch;
mod secrets;
mod smuggling;
mod sources;
mod tls;
mod tokens;
mod tool_test;
mod tools;
mod tutorial;
mod users;
mod variables;
mod versions;
mod words;
mod worker;
