//! What is known of packages with compiled code: which work without it, and what to use instead of the others.

/// Packages whose compiled part only makes them faster: without it they fall back to Python. Each was installed, imported
/// and used in the sandbox, from a pure wheel where its newest version had one, else from one without its shared objects.
const OPTIONAL: [(&str, &str); 24] = [
    ("aiohttp", "parses HTTP in Python"),
    ("charset-normalizer", "detects encodings in Python"),
    ("frozenlist", "has a Python class beside the compiled one"),
    ("google-crc32c", "computes checksums in Python"),
    ("ijson", "parses in Python"),
    ("jiter", "reads JSON by the SDK, in Python (`absent/jiter.py`)"),
    ("lazy-object-proxy", "has a Python class beside the compiled one"),
    ("markupsafe", "escapes in Python"),
    ("msgpack", "packs in Python"),
    ("multidict", "has a Python class beside the compiled one"),
    ("pendulum", "reads times in Python"),
    ("propcache", "has a Python class beside the compiled one"),
    ("pymongo", "encodes BSON in Python"),
    ("pyrsistent", "has a Python class beside the compiled one"),
    ("pyyaml", "reads YAML in Python, without the C loaders"),
    ("rapidfuzz", "compares in Python"),
    ("rpds-py", "has its collections from the SDK, in Python (`absent/rpds.py`)"),
    ("simplejson", "encodes in Python"),
    ("sqlalchemy", "has Python code beside the compiled one"),
    ("tornado", "masks websockets in Python"),
    ("websockets", "masks in Python"),
    ("wrapt", "has a Python class beside the compiled one"),
    ("yarl", "quotes in Python"),
    ("zope-interface", "has Python code beside the compiled one"),
];

/// What to do without a package that needs its compiled part.
const INSTEAD: [(&str, &str); 50] = [
    ("argon2-cffi-bindings", "use `hashlib.scrypt`"),
    ("asyncpg", "use `pg8000`, which is Python alone"),
    ("bcrypt", "use `hashlib.scrypt`"),
    ("brotli", "leave it out: HTTP works with gzip"),
    ("cachebox", "use `cachetools`; `deepdiff` needs neither before its version 9"),
    ("cbor2", "use `msgpack`, which works here, or `json`"),
    ("cffi", "use a package that is Python alone"),
    ("cryptography", "use `hashlib`, `hmac` and `secrets`, or `rsa`, which is Python alone"),
    ("cytoolz", "use `toolz`, which is Python alone"),
    ("duckdb", "use `sqlite3`"),
    ("fiona", "use `pyshp`, which is Python alone"),
    ("gevent", "use `asyncio`"),
    ("greenlet", "use `asyncio`, or SQLAlchemy without its asyncio extension"),
    ("grpcio", "use the service's HTTP interface"),
    ("hiredis", "leave it out: `redis` works without it"),
    ("httptools", "leave it out: `h11` does the same in Python"),
    ("jellyfish", "use `rapidfuzz`, which works here, or `textdistance`"),
    ("kiwisolver", "draw with `pygal`, which is Python alone"),
    ("levenshtein", "use `rapidfuzz`, which works here, or `difflib`"),
    ("lxml", "use `xml.etree.ElementTree`, or `beautifulsoup4` with `html5lib`"),
    ("lz4", "use `zlib`"),
    ("matplotlib", "draw with `pygal`, which is Python alone"),
    ("msgspec", "use `dataclasses` with `json`, or `cattrs`"),
    ("mysqlclient", "use `PyMySQL`, which is Python alone"),
    ("numpy", "use lists with `statistics`, `math` and `array`"),
    ("opencv-python", "process images in a service of your own, and call it"),
    ("orjson", "use `json`, or `simplejson`"),
    ("pandas", "use `csv` with `sqlite3`, or `tablib`, which are Python alone"),
    ("pillow", "use `pypng` for PNG files, which is Python alone"),
    ("polars", "use `csv` with `sqlite3`"),
    ("psutil", "leave it out: a sandbox has no processes to look at"),
    ("psycopg2", "use `pg8000`, which is Python alone"),
    ("psycopg2-binary", "use `pg8000`, which is Python alone"),
    ("psycopg-binary", "use `pg8000`, which is Python alone"),
    ("pyarrow", "use `csv` or `json`"),
    ("pycryptodome", "use `hashlib`, `hmac` and `secrets`, or `pyaes`, which is Python alone"),
    (
        "pydantic-core",
        "use `dataclasses`, `attrs` with `cattrs`, or `marshmallow`; the tool's own input is checked already; call a \
         vendor's HTTP interface with `httpx` where its client needs this",
    ),
    ("pynacl", "use `hashlib`, `hmac` and `secrets`"),
    ("pyzmq", "call a service over HTTP"),
    ("regex", "use `re`"),
    ("scikit-learn", "call a model that a service of your own serves"),
    ("scipy", "use `statistics` and `math`, or `mpmath`, which is Python alone"),
    ("shapely", "use `pyshp` with `math`, which is Python alone"),
    ("tiktoken", "count tokens by length, or ask the model's service"),
    ("tokenizers", "count tokens by length, or ask the model's service"),
    ("torch", "call a model that a service of your own serves"),
    ("ujson", "use `json`"),
    ("uvloop", "leave it out: `asyncio` works"),
    ("xxhash", "use `hashlib.blake2b`"),
    ("zstandard", "use `zlib`"),
];

/// Packages whose wheels for the sandbox `runtime wheels build` was seen to build.
const BUILDABLE: [&str; 16] = [
    "aiohttp",
    "charset-normalizer",
    "frozenlist",
    "markupsafe",
    "msgpack",
    "msgspec",
    "multidict",
    "orjson",
    "propcache",
    "pydantic-core",
    "regex",
    "rpds-py",
    "simplejson",
    "ujson",
    "wrapt",
    "yarl",
];

/// Whether a package's wheel for the sandbox can be built. The name is normalized.
pub fn is_buildable(name: &str) -> bool {
    BUILDABLE.contains(&name)
}

/// Why a package works without its compiled part, where it does. The name is normalized.
pub fn optional(name: &str) -> Option<&'static str> {
    find(&OPTIONAL, name)
}

/// What to do without a package. The name is normalized.
pub fn instead(name: &str) -> &'static str {
    find(&INSTEAD, name).unwrap_or("use a package that is Python alone, or call a service that does the work")
}

fn find(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn names_are_normalized_and_in_one_table() {
        for (name, _) in OPTIONAL.iter().chain(&INSTEAD) {
            assert_eq!(pep508_rs::PackageName::from_str(name).unwrap().as_ref(), *name);
        }
        assert!(OPTIONAL.iter().all(|(name, _)| INSTEAD.iter().all(|(other, _)| name != other)));
    }
}
