//! A component becomes an outcome: each invocation in a fresh instance and a fresh store, under limits.
//!
//! The modules in reading order: [`engine`] (one per process), [`cache`] (built tools unpacked), [`component`] (a tool as
//! machine code, ready to be instantiated), [`invoke`] (one invocation), `memory` and `stacks` (what it runs in), `shares`
//! (whose turn it is to run) and `lanes` (on which threads), [`network`] (what stands behind a tool's sockets), [`outcome`]
//! (what came of it), [`secret_forms`] (how a secret may be written down), [`input`] (parameters against the tool's
//! schema), [`worker`] (all of that in a process of its own), [`builds`] (projects to built tools, equal inputs built
//! once), [`drafts`] (projects that run as they are saved), [`error`].
//!
//! ```no_run
//! use runtime::engine::{Options, Runtime};
//! use runtime::input::InputLimits;
//! use runtime::invoke::{Call, Limits, Mode};
//!
//! # async fn example() -> Result<(), runtime::Error> {
//! let runtime = Runtime::new(Options::new("cache"))?;
//! let tool = runtime.load_file("weather.wasm".as_ref())?;
//! let parameters = serde_json::json!({"city": "Ghent"});
//! tool.unpacked().check_input(&parameters, &InputLimits::default())?;
//! let report = tool.invoke(&Call::new(&parameters, Mode::Regular), &Limits::default()).await?;
//! println!("{:?} in {:?}", report.outcome, report.duration);
//! # Ok(())
//! # }
//! ```

mod bases;
pub mod builds;
pub mod cache;
pub mod component;
pub mod drafts;
pub mod engine;
pub mod error;
pub mod input;
pub mod invoke;
mod lanes;
mod mapping;
mod memory;
pub mod network;
pub mod outcome;
pub mod recent;
pub mod secret_forms;
mod shares;
mod stacks;
pub mod worker;

pub use error::Error;
