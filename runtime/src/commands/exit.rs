//! Exit codes, each with a name. Scripts may rely on them.

use std::process::ExitCode;

use runtime::Error;

/// The tool ran and raised, or was stopped at a limit.
pub const TOOL_FAILED: u8 = 1;
/// The command line cannot be used. It is the code that clap uses, too.
#[expect(dead_code, reason = "clap ends the program with it; it is here so that all codes stand in one place")]
pub const USAGE: u8 = 2;
/// The project or the built file is at fault.
pub const REFUSED: u8 = 3;
/// The input does not conform to the tool's schema.
pub const INPUT: u8 = 4;
/// Toolplane itself is at fault.
pub const INTERNAL: u8 = 70;

/// The code that an error ends the program with.
pub fn of(error: &Error) -> ExitCode {
    ExitCode::from(match error {
        Error::Build(sdk::Error::Refused(_)) => REFUSED,
        Error::Input(_) | Error::InputTooComplex { .. } => INPUT,
        Error::Build(sdk::Error::Internal { .. }) | Error::Internal { .. } => INTERNAL,
    })
}
