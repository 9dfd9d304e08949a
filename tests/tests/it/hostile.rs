//! Hostile tools: one trick each, through the real server, each with the outcome that it must have, while the calls of a
//! well-behaved neighbour keep succeeding. The tricks are in `tests/tools/hostile`.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::client::{Client, results, succeeded};
use crate::server::Server;

/// Small limits, so that they are reached soon.
const SETTINGS: &str = "[invoke]\nlog_kib = 16\noutput_kib = 64\ntmp_mib = 4\ntmp_files = 64\nopen_files = 32\n\
                        [network.hosts]\n\"localhost\" = \"127.0.0.1\"\n\"metadata.example\" = \"169.254.169.254\"\n";

/// What has to come of a trick.
enum Must {
    /// It returns this.
    Return(&'static str),
    /// It fails with this type and this message.
    Fail(&'static str, &'static str),
    /// It fails with this type and a message that begins like this and is cut.
    FailAt(&'static str, &'static str),
    /// It may not connect there, since nothing that stands in the project names the host. What would, is second.
    Unnamed(&'static str, &'static str),
    /// It may not connect there, since the address behind the name is out of reach.
    Unreachable(&'static str),
}

use Must::{Fail, FailAt, Return, Unnamed, Unreachable};

/// What a message is cut to, with room for what is said of the cut.
const MESSAGE_BYTES: usize = 70_000;

const TIME: Must = Fail("ToolTimeout", "the tool was stopped at its time limit of 3s");
const MEMORY: Must = Fail("ToolOutOfMemory", "the tool needed more than its memory limit of 64 MiB");
const TOO_DEEP: Must = Fail("ToolCrashed", "the tool recursed too deeply in native code");
const ABORTED: Must = Fail("ToolCrashed", "the tool aborted its own interpreter");

/// Those that never end: each takes its whole time, and all the processors that it gets.
const ENDLESS: &[(&str, Must)] = &[
    ("a_loop", TIME),
    ("a_loop_that_catches_everything", TIME),
    ("a_tower_of_powers", TIME),
    ("a_sum_in_c", TIME),
    ("a_regular_expression", TIME),
    ("a_long_multiplication", TIME),
    ("a_sort_with_a_slow_key", MEMORY),
    ("a_membership_in_an_endless_iterator", TIME),
    ("a_deque_that_is_filled_for_ever", TIME),
    ("a_string_search", TIME),
    ("a_sleep", TIME),
    ("a_sleep_in_small_pieces", TIME),
    ("an_event_loop_that_waits", TIME),
    ("an_event_loop_that_spins", TIME),
    ("a_destructor", TIME),
    ("a_string_conversion", TIME),
    ("a_result_that_is_never_written", TIME),
    ("a_thread", TIME),
    ("a_thread_that_starts_threads", TIME),
    ("a_hash_that_never_ends", TIME),
    ("a_profile_function", TIME),
    ("an_exit_handler", TIME),
    ("a_select", FailAt("Deadlock", "select waits for no file and has no time limit, so nothing can ever end it")),
];

/// Those that take more of something than there is for them.
const FLOODS: &[(&str, Must)] = &[
    ("a_list", MEMORY),
    ("bytes_at_once", Fail("OverflowError", "cannot fit 'int' into an index-sized integer")),
    ("bytes_in_pieces", MEMORY),
    ("a_string", MEMORY),
    ("a_large_integer", MEMORY),
    ("a_dictionary", MEMORY),
    ("a_generator_in_a_generator", Fail("RecursionError", "maximum recursion depth exceeded")),
    ("a_recursion", Fail("RecursionError", "maximum recursion depth exceeded")),
    ("a_recursion_without_a_limit", MEMORY),
    ("deep_json", TOO_DEEP),
    ("a_deep_expression", Fail("MemoryError", "Parser stack overflowed - Python source too complex to parse")),
    ("a_deep_comparison", TOO_DEEP),
    ("a_long_output", Fail("ToolOutputTooLarge", "the tool's output is longer than its limit of 65536 bytes")),
    (
        "an_output_that_is_long_only_in_json",
        Fail("ToolOutputTooLarge", "the tool's output is longer than its limit of 65536 bytes"),
    ),
    ("logs", Return("printed")),
    ("one_long_line", Return("printed")),
    ("a_full_tmp", Fail("OSError", "[Errno 51] No space left on device")),
    ("a_hole_in_tmp", Fail("OSError", "[Errno 51] No space left on device")),
    ("many_files", Fail("OSError", "[Errno 51] No space left on device: '/tmp/64'")),
    ("many_folders", FailAt("OSError", "[Errno 51] No space left on device: '/tmp/d/d")),
    ("open_files", Fail("OSError", "[Errno 48] Out of memory: '/python/os.py'")),
    ("open_files_of_tmp", Fail("OSError", "[Errno 48] Out of memory: '/tmp/one'")),
    ("a_long_name", FailAt("OSError", "[Errno 37] Filename too long: '/tmp/xxx")),
    ("a_long_message", FailAt("ValueError", "xxx")),
    ("a_long_chain_of_causes", Fail("ValueError", "9999")),
    ("a_circle_of_causes", Fail("ValueError", "one")),
    ("a_group_of_a_million", Fail("ExceptionGroup", "many (1000000 sub-exceptions)")),
    (
        "a_message_that_raises",
        Fail("floods.a_message_that_raises.<locals>.Broken", "<the exception's __str__ raised Broken>"),
    ),
    ("random_bytes", Return("10485760")),
    ("garbage", MEMORY),
    ("a_memory_error_that_is_caught", Return("survived")),
];

/// Those that try to leave, or to break what they run in.
const ESCAPES: &[(&str, Must)] = &[
    ("an_exit_at_once", Fail("ToolCrashed", "the tool ended its own process")),
    ("an_exit_with_a_status", Fail("ToolCrashed", "the tool ended its own process")),
    ("an_abort", ABORTED),
    ("a_polite_exit", Fail("SystemExit", "3")),
    ("a_system_exit", Fail("SystemExit", "bye")),
    ("an_interrupt", Fail("KeyboardInterrupt", "")),
    ("a_base_exception", Fail("BaseException", "base")),
    ("a_generator_exit", Fail("GeneratorExit", "")),
    ("a_stop_iteration", Fail("StopIteration", "")),
    ("closed_output", Return("closed")),
    ("replaced_output", Return("replaced")),
    ("no_builtins", Fail("NameError", "")),
    ("no_json", Return("{\"a\":1}")),
    ("a_patched_sdk", Return("patched")),
    ("a_patched_failure", ABORTED),
    (
        "a_patched_failure_that_is_long",
        Fail("ToolOutputTooLarge", "the tool's output is longer than its limit of 65536 bytes"),
    ),
    ("an_output_that_is_no_text", ABORTED),
    ("half_a_character", Return("�")),
    ("half_a_character_in_an_error", Fail("ValueError", "�")),
    ("no_modules", Return("gone")),
    (
        "a_signal",
        Fail(
            "AttributeError",
            "module 'signal' has no attribute 'alarm': the sandbox has one process and no native code; use `asyncio.timeout`, or `timeout` in [tool.toolplane] of pyproject.toml",
        ),
    ),
    (
        "a_kill",
        Fail(
            "AttributeError",
            "module 'os' has no attribute 'kill': the sandbox has one process and no native code; raise an exception instead",
        ),
    ),
    (
        "a_subprocess",
        Fail(
            "OSError",
            "[Errno 52] the program 'id' cannot be used: the sandbox has one process and no native code; call a package's functions instead of a program",
        ),
    ),
    (
        "a_shell",
        Fail(
            "AttributeError",
            "module 'os' has no attribute 'system': the sandbox has one process and no native code; call a package's functions instead of a program",
        ),
    ),
    (
        "a_fork",
        Fail(
            "AttributeError",
            "module 'os' has no attribute 'fork': the sandbox has one process and no native code; use `concurrent.futures.ThreadPoolExecutor`, `threading` or `asyncio`",
        ),
    ),
    (
        "an_exec",
        Fail(
            "AttributeError",
            "module 'os' has no attribute 'execv': the sandbox has one process and no native code; call a package's functions instead of a program",
        ),
    ),
    (
        "a_null_pointer",
        Fail(
            "OSError",
            "[Errno 52] ctypes cannot be used: the sandbox has one process and no native code; use a package that is pure Python, or the standard library",
        ),
    ),
    (
        "a_library",
        Fail(
            "OSError",
            "[Errno 52] the shared library libc.so.6 cannot be used: the sandbox has one process and no native code; use a package that is pure Python",
        ),
    ),
    (
        "mapped_memory",
        Fail(
            "OSError",
            "[Errno 52] mmap.mmap cannot be used: the sandbox has one process and no native code; read the file instead, or use a bytearray",
        ),
    ),
    ("code_of_nobody", ABORTED),
    ("a_write_to_the_library", Fail("PermissionError", "[Errno 63] Operation not permitted: '/python/os.py'")),
    ("a_write_to_the_tool", Fail("PermissionError", "[Errno 63] Operation not permitted: '/tool/src/hostile.py'")),
    ("a_removed_library", Fail("PermissionError", "[Errno 63] Operation not permitted: '/python/os.py'")),
    ("a_renamed_tool", Fail("OSError", "[Errno 75] Cross-device link: '/tool' -> '/tmp/tool'")),
    ("a_link_out", Fail("OSError", "[Errno 58] Not supported: '/etc/passwd' -> '/tmp/passwd'")),
    ("a_hard_link", Fail("OSError", "[Errno 75] Cross-device link: '/python/os.py' -> '/tmp/os.py'")),
    ("a_file_outside", Fail("OSError", "[Errno 69] Read-only file system: '/outside'")),
];

/// Those that look for what is not theirs.
const LEAKS: &[(&str, Must)] = &[
    ("processes", Fail("FileNotFoundError", "[Errno 44] No such file or directory: '/proc'")),
    ("the_own_process", Fail("FileNotFoundError", "[Errno 44] No such file or directory: '/proc/self/environ'")),
    ("passwords", Fail("FileNotFoundError", "[Errno 44] No such file or directory: '/etc/passwd'")),
    ("the_folder_above", Fail("PermissionError", "[Errno 63] Operation not permitted: '../../../../../../etc/passwd'")),
    (
        "above_the_library",
        Fail("PermissionError", "[Errno 63] Operation not permitted: '/python/../../../../../etc/passwd'"),
    ),
    ("above_the_tool", Fail("PermissionError", "[Errno 63] Operation not permitted: '/tool/..'")),
    ("devices", Fail("FileNotFoundError", "[Errno 44] No such file or directory: '/dev/mem'")),
    ("the_root", Return("dev,python,tmp,tool")),
    ("the_own_folder_of_files", Return("")),
    ("variables", Return("COVERAGE_CORE,HOME,LANG,LOGNAME,NO_PROXY,PATH,PYTHONTZPATH,USER")),
    ("arguments", Return("tool")),
    ("the_machine", Return("(none)")),
    ("users", Return("1000")),
    ("loopback", Unreachable("127.0.0.1:80")),
    ("loopback_by_name", Unreachable("localhost:80")),
    ("loopback_in_decimal", Unnamed("2130706433:80", "2130706433")),
    ("loopback_in_octal", Unnamed("0177.0.0.1:80", "0177.0.0.1")),
    ("loopback_in_hexadecimal", Unnamed("0x7f.0.0.1:80", "0x7f.0.0.1")),
    ("loopback_shortened", Unnamed("127.1:80", "127.1")),
    ("loopback_in_ipv6", Unreachable("::1:80")),
    ("loopback_mapped", Unreachable("::ffff:127.0.0.1:80")),
    ("loopback_compatible", Unreachable("::127.0.0.1:80")),
    ("loopback_translated", Unreachable("64:ff9b::7f00:1:80")),
    ("every_address", Unreachable("0.0.0.0:80")),
    ("metadata", Unreachable("169.254.169.254:80")),
    ("metadata_by_name", Unreachable("metadata.example:80")),
    ("metadata_mapped", Unreachable("::ffff:a9fe:a9fe:80")),
    ("link_local", Unreachable("fe80::1:80")),
    ("a_private_network", Unreachable("10.0.0.1:80")),
    ("another_port", Unnamed("127.0.0.1:22", "127.0.0.1:22")),
    ("a_name_that_nobody_allowed", Unnamed("example.org:80", "example.org")),
    ("a_user_in_the_url", Unnamed("localhost@example.org:80", "localhost@example.org")),
    (
        "a_file_as_a_url",
        Fail("urllib.error.URLError", "<urlopen error [Errno 44] No such file or directory: '/etc/passwd'>"),
    ),
    ("a_server", Fail("PermissionError", "[Errno 2] Permission denied")),
    ("datagrams", Fail("OSError", "[Errno 58] Not supported")),
    ("a_raw_socket", Fail("AttributeError", "module 'socket' has no attribute 'SOCK_RAW'")),
    ("a_unix_socket", Fail("AttributeError", "module 'socket' has no attribute 'AF_UNIX'")),
];

#[tokio::test]
async fn every_trick_has_its_outcome_and_a_neighbour_never_notices() {
    let server = Server::start_with(SETTINGS).await;
    let client = &server.client;
    server.author("work").push(&["hostile", "counter"]);
    let (hostile, counter) = (client.create_tool("hostile").await, client.create_tool("counter").await);
    for (tool, project) in [(&hostile, "hostile"), (&counter, "counter")] {
        client.publish(tool, project, "major").await.expect(201);
    }

    let tricks = async {
        let mut wrong = Vec::new();
        // What floods takes its time, and more of it side by side.
        for (tricks, at_once) in [(ENDLESS, 10), (FLOODS, 2), (ESCAPES, 10), (LEAKS, 10)] {
            for some in tricks.chunks(at_once) {
                wrong.extend(play(client, &hostile, some).await);
            }
        }
        wrong
    };
    beside_a_neighbour(client, &counter, tricks).await;
}

/// Has tricks played while a neighbour's calls of `counter` keep succeeding. What had another outcome fails the test.
pub async fn beside_a_neighbour(client: &Client, counter: &str, tricks: impl Future<Output = Vec<String>>) {
    let is_over = AtomicBool::new(false);
    let neighbour = async {
        let mut calls = 0;
        while !is_over.load(Ordering::Relaxed) {
            assert_eq!(client.result(counter, json!({})).await, succeeded("1"));
            calls += 1;
        }
        calls
    };
    let tricks = async {
        let wrong = tricks.await;
        is_over.store(true, Ordering::Relaxed);
        wrong
    };
    let (calls, wrong) = tokio::join!(neighbour, tricks);
    assert!(wrong.is_empty(), "{} tricks had another outcome:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 50, "the neighbour was answered {calls} times");
}

/// Plays tricks side by side, and answers what was not as it must be.
async fn play(client: &Client, hostile: &str, tricks: &[(&str, Must)]) -> Vec<String> {
    let parameters: Vec<_> = tricks.iter().map(|(trick, _)| json!({"trick": trick})).collect();
    let results = results(client.invoke(hostile, "1.0.0", &parameters).await);
    let played = tricks.iter().zip(results);
    played.filter(|((_, must), result)| !must.be(result)).map(|((trick, _), result)| told(trick, &result)).collect()
}

impl Must {
    fn be(&self, result: &Value) -> bool {
        let failed =
            |kind: &str, message: &str| result["exception_type"] == kind && result["exception_message"] == message;
        match *self {
            Return(output) => *result == succeeded(output),
            Fail(kind, message) => failed(kind, message),
            FailAt(kind, start) => {
                let message = result["exception_message"].as_str().unwrap_or_default();
                result["exception_type"] == kind && message.starts_with(start) && message.len() < MESSAGE_BYTES
            }
            Unnamed(place, entry) => {
                let remedy = format!("add \"{entry}\" to `allow` in [tool.toolplane.egress] of pyproject.toml");
                let remedy = format!("{remedy}, or to `tcp` with its port when it does not speak HTTP");
                failed("EgressDenied", &format!("the tool may not connect to {place}: {remedy}"))
            }
            Unreachable(place) => {
                let reason = "its address is one that the service keeps tools from (Permission denied)";
                failed("EgressDenied", &format!("the tool may not connect to {place}: {reason}"))
            }
        }
    }
}

/// A result on one line, and no more of it than can be read.
fn told(trick: &str, result: &Value) -> String {
    let shown = |field: &str| result[field].as_str().unwrap_or("-").chars().take(250).collect::<String>();
    let [output, kind, message] = ["output", "exception_type", "exception_message"].map(shown);
    format!("{trick}: output {output:?}, {kind:?}, {message:?}")
}
