//! Sandboxes in a process of their own, which has neither the keys nor the records of whoever started it.
//!
//! [`Worker`] is the process as its starter sees it: started when it is needed, watched, and started again when it ends.
//! [`run`] is what happens within. Between them is a pair of sockets, over which the process gets its settings and then
//! further sockets, one for each request that is under way (`handover`); on those go frames (`frames`) of what is asked and
//! what is answered (`messages`). The process confines itself (`confinement`) before it has a second thread.
//!
//! Nothing that comes out of the process is believed without a bound: how long an answer is, and how long it takes.

mod confinement;
mod frames;
mod handover;
mod messages;
mod process;
mod started;
mod supervisor;

pub use process::run;
pub use started::Usage;
pub use supervisor::{Options, Worker};
