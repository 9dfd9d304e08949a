"""Lays out what a compiler of C, and Python's build tools, have to know of the sandbox's CPython.

It runs on the host's Python, whichever that is, in an empty folder that holds `headers.tar.xz` and componentize-py's own
`sysconfigdata.py`, and leaves `include`, `lib` and `python` there. `/cross` is where builds see that folder.
"""

import re
import tarfile
from pathlib import Path

NAME = "_sysconfigdata__wasi_wasm32-wasi"
CLANG = "/usr/bin/clang-22 --target=wasm32-wasip2"
# What is hidden by default stays within the library: what others have of the same name is not meant.
COMPILING = (
    "--sysroot=/cross -I/cross/include/python3.14 -fPIC -fvisibility=hidden "
    "-fno-strict-overflow -DNDEBUG -O3 -Wno-unused-command-line-argument"
)
CXX = "-stdlib++-isystem /usr/lib/llvm-22/include/wasm32-wasi/c++/v1 -fno-exceptions"
# A library begins nowhere, and needs what the base has under these names.
LIBRARIES = ["python3.14", "c"] + [f"wasi-emulated-{name}" for name in ("getpid", "process-clocks", "signal")]
LINKING = (
    "-fuse-ld=lld -nostdlib -shared -Wl,--no-entry -Wl,--experimental-pic -Wl,-Bdynamic -Wl,--strip-debug "
    f"-L/link -L/cross/lib {' '.join(f'-l{name}' for name in LIBRARIES)} "
    "/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a"
)
# Which names the library of C++ has is not known before a base links it, so what is missing is told then.
LINKING_CXX = "-lc++ -lc++abi -Wl,--unresolved-symbols=import-dynamic"
# Macros that begin with an underscore are in `pyconfig.h` and not in what Python remembers of it.
MACROS = ["_GNU_SOURCE"] + [f"_WASI_EMULATED_{name}" for name in ("GETPID", "PROCESS_CLOCKS", "SIGNAL")]
# Libraries that packages ask for by habit: what is in them, the C library has, or that of C++.
EMPTY = ["libm.a", "libdl.a", "libpthread.a", "librt.a", "libutil.a", "libstdc++.a"]


def variables() -> dict[str, object]:
    """What componentize-py's CPython was built with."""
    module: dict[str, object] = {}
    exec(Path("sysconfigdata.py").read_text(), module)
    found = module["build_time_vars"]
    assert isinstance(found, dict)
    return found


def pyconfig(template: str, known: dict[str, object]) -> str:
    """`pyconfig.h` of the sandbox: the macros that another machine's has, with the values that they have here."""
    lines = [f"#ifndef {name}\n#define {name} 1\n#endif" for name in MACROS]
    for line in template.splitlines():
        named = re.match(r"\s*#\s*define\s+(\w+)|/\*\s*#undef\s+(\w+)", line)
        name = named and (named[1] or named[2])
        # What is not defined is remembered as 0, which to a preprocessor is the same, but for the question whether it is.
        if name and known.get(name, 0) != 0:
            lines.append(f"#define {name} {known[name]}")
    return "\n".join(lines) + "\n"


def sysconfigdata(known: dict[str, object]) -> str:
    """The variables for builds, in place of those with the paths of the machine that CPython was built on."""
    kept = {name: value for name, value in known.items() if not (isinstance(value, str) and "/" in value)}
    compiler = {
        "CC": f"{CLANG} {COMPILING}",
        "CXX": f"{CLANG} {COMPILING} {CXX}",
        "LDSHARED": f"{CLANG} {LINKING}",
        "LDCXXSHARED": f"{CLANG} {LINKING} {LINKING_CXX}",
        "AR": "/usr/lib/llvm-22/bin/llvm-ar",
        "ARFLAGS": "rcD",
        "py_version_nodot": "314",
        "Py_ENABLE_SHARED": 0,
        "INCLUDEPY": "/cross/include/python3.14",
        "CONFINCLUDEPY": "/cross/include/python3.14",
    }
    # Said with the compiler already, or of the machine that CPython was built on.
    nothing = ["CFLAGS", "OPT", "CCSHARED", "LDFLAGS", "CPPFLAGS", "BASECFLAGS", "PY_CFLAGS", "PY_LDFLAGS", "LIBS", "SYSLIBS"]
    compiler |= dict.fromkeys(nothing, "")
    lines = [f"    {name!r}: {value!r},\n" for name, value in sorted((kept | compiler).items())]
    return "build_time_vars = {\n" + "".join(lines) + "}\n"


def main() -> None:
    with tarfile.open("headers.tar.xz") as archive:
        archive.extractall()
    known = variables()
    header = Path("include/python3.14/pyconfig.h")
    header.write_text(pyconfig(header.read_text(), known))
    for folder in ["lib", "python"]:
        Path(folder).mkdir()
    Path("python", f"{NAME}.py").write_text(sysconfigdata(known))
    for name in EMPTY:
        Path("lib", name).write_bytes(b"!<arch>\n")


main()
