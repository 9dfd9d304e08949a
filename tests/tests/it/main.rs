//! Toolplane as an outside client meets it: the real binaries, the real `git`, real sandboxes.
//!
//! The harness is [`programs`] (where the binaries are), [`server`] (a control plane in a temporary folder), [`client`]
//! (its HTTP contract) and [`author`] (who pushes with `git`). Each other module is a subject with its tests; each test
//! has a server of its own. A publish takes seconds, so a test asserts all that it can about one published tool.

mod author;
mod client;
mod programs;
mod server;

mod access;
mod answers;
mod broken;
mod dependencies;
mod failures;
mod inputs;
mod invocations;
mod isolation;
mod layers;
mod local;
mod operations;
mod repository;
mod restart;
mod secrets;
mod versions;
