//! Markers, evaluated for the sandbox and not for the machine that builds.

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};

/// The Python that the sandbox has: major and minor, as tags and markers name it.
pub const PYTHON: &str = "3.14";

/// Its whole version.
const PYTHON_FULL: &str = "3.14.0";

/// What the sandbox says of itself. `None` only if the constants above were no versions.
pub fn environment() -> Option<MarkerEnvironment> {
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: PYTHON_FULL,
        os_name: "posix",
        platform_machine: "wasm32",
        platform_python_implementation: "CPython",
        platform_release: "0.0.0",
        platform_system: "wasi",
        platform_version: "0.0.0",
        python_full_version: PYTHON_FULL,
        python_version: PYTHON,
        sys_platform: "wasi",
    })
    .ok()
}

/// Whether a marker holds in the sandbox. None when it is no marker.
pub fn holds(marker: &str) -> Option<bool> {
    let marker = MarkerTree::parse_str::<url::Url>(marker).ok()?;
    Some(marker.evaluate(&environment()?, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_those_of_the_sandbox() {
        for (marker, expected) in [
            ("sys_platform == 'wasi'", true),
            ("sys_platform == 'emscripten' or sys_platform == 'win32'", false),
            ("python_version >= '3.14' and python_full_version < '3.15'", true),
            ("python_version < '3.13'", false),
            ("platform_machine == 'x86_64'", false),
            ("platform_machine in 'wasm32 x86_64'", true),
            ("implementation_name == 'cpython' and platform_python_implementation != 'PyPy'", true),
            ("platform_system == 'Linux'", false),
            ("os_name == 'posix'", true),
            ("extra == 'http2'", false),
        ] {
            assert_eq!(holds(marker), Some(expected), "{marker}");
        }
        assert_eq!(holds("sys_platform >>> 1"), None);
    }
}
