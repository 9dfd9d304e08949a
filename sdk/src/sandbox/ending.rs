//! Why a guest ended that did not get to answer, in words for the tool's author.

use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

/// What the tool did, fit for "the tool …". The engine's own words are for the log.
pub fn why_ended(error: &wasmtime::Error) -> &'static str {
    // WASI 0.2 hands over whether the status was zero, and not which it was.
    if error.is::<I32Exit>() {
        return "ended its own process";
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "recursed too deeply in native code",
        Some(Trap::UnreachableCodeReached) => "aborted its own interpreter",
        _ => {
            tracing::info!(cause = %error.root_cause(), "A guest ended");
            "broke its own interpreter, in native code"
        }
    }
}
