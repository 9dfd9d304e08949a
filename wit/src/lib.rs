//! The world `tool`: all that a tool exports and all that it may import.
//!
//! The text lives in `wit/tool.wit`. [`WORLD`] is that text, so that the base can be linked on a machine that has
//! no source tree, and so that its content takes part in the base's key.

/// The text of `wit/tool.wit`.
pub const WORLD: &str = include_str!("../wit/tool.wit");

/// The name of the world within [`WORLD`].
pub const WORLD_NAME: &str = "tool";
