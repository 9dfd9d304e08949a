//! The Rust side of the world `tool`, generated from its text.

use crate::error;

wasmtime::component::bindgen!({
    path: "../wit/wit",
    world: "tool",
    exports: { default: async },
});

impl From<Problem> for error::Problem {
    fn from(problem: Problem) -> Self {
        let Problem { message, file, line, remedy } = problem;
        Self { message, file, line, remedy }
    }
}
