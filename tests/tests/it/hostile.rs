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
    /// It returns, with this in its output.
    Return(&'static str),
    /// It fails with this type, and this in its message.
    Fail(&'static str, &'static str),
}

use Must::{Fail, Return};

const TIME: Must = Fail("ToolTimeout", "time limit of 2s");
const MEMORY: Must = Fail("ToolOutOfMemory", "memory limit of 64 MiB");

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
    ("a_select", TIME),
];

/// Those that take more of something than there is for them.
const FLOODS: &[(&str, Must)] = &[
    ("a_list", MEMORY),
    ("bytes_at_once", MEMORY),
    ("bytes_in_pieces", MEMORY),
    ("a_string", MEMORY),
    ("a_large_integer", MEMORY),
    ("a_dictionary", MEMORY),
    ("a_deep_list_that_is_shown", Fail("RecursionError", "")),
    ("a_generator_in_a_generator", Fail("RecursionError", "")),
    ("a_recursion", Fail("RecursionError", "")),
    ("a_recursion_without_a_limit", MEMORY),
    ("deep_json", Fail("ToolCrashed", "recursed too deeply")),
    ("a_deep_expression", Fail("MemoryError", "")),
    ("a_deep_comparison", Fail("RecursionError", "")),
    ("a_long_output", Fail("ToolOutputTooLarge", "limit of 65536 bytes")),
    ("an_output_that_is_long_only_in_json", Fail("ToolOutputTooLarge", "limit of 65536 bytes")),
    ("logs", Return("printed")),
    ("one_long_line", Return("printed")),
    ("a_full_tmp", Fail("OSError", "No space left on device")),
    ("a_hole_in_tmp", Fail("OSError", "")),
    ("many_files", Fail("OSError", "No space left on device")),
    ("many_folders", Fail("OSError", "")),
    ("open_files", Fail("OSError", "")),
    ("open_files_of_tmp", Fail("OSError", "")),
    ("a_long_name", Fail("OSError", "")),
    ("a_long_message", Fail("ValueError", "bytes in all")),
    ("a_long_chain_of_causes", Fail("ValueError", "9999")),
    ("a_circle_of_causes", Fail("ValueError", "one")),
    ("a_group_of_a_million", Fail("ExceptionGroup", "many (1000000 sub-exceptions)")),
    ("a_long_type_name", Fail("X", "")),
    ("a_message_that_raises", Fail("Broken", "")),
    ("random_bytes", Return("1048576000")),
    ("garbage", MEMORY),
    ("a_class_of_a_million_bases", MEMORY),
    ("a_memory_error_that_is_caught", Return("survived")),
    ("a_table_of_weak_references", MEMORY),
];

/// Those that try to leave, or to break what they run in.
const ESCAPES: &[(&str, Must)] = &[
    ("an_exit_at_once", Fail("ToolCrashed", "ended its own process")),
    ("an_exit_with_a_status", Fail("ToolCrashed", "ended its own process")),
    ("an_abort", Fail("ToolCrashed", "aborted its own interpreter")),
    ("a_polite_exit", Fail("SystemExit", "3")),
    ("a_system_exit", Fail("SystemExit", "bye")),
    ("an_interrupt", Fail("KeyboardInterrupt", "")),
    ("a_base_exception", Fail("BaseException", "base")),
    ("a_generator_exit", Fail("GeneratorExit", "")),
    ("a_stop_iteration", Fail("StopIteration", "")),
    ("closed_output", Return("closed")),
    ("replaced_output", Return("replaced")),
    ("no_builtins", Return("gone")),
    ("no_json", Return("")),
    ("a_patched_sdk", Return("")),
    ("a_patched_failure", Fail("", "")),
    ("an_output_that_is_no_text", Fail("", "")),
    ("half_a_character", Return("")),
    ("half_a_character_in_an_error", Fail("ValueError", "")),
    ("no_modules", Return("gone")),
    ("a_signal", Fail("", "")),
    ("a_kill", Fail("", "")),
    ("a_subprocess", Fail("", "")),
    ("a_shell", Fail("", "")),
    ("a_fork", Fail("", "")),
    ("an_exec", Fail("", "")),
    ("a_null_pointer", Fail("", "")),
    ("a_library", Fail("", "")),
    ("mapped_memory", Fail("", "")),
    ("code_of_nobody", Fail("", "")),
    ("a_write_to_the_library", Fail("OSError", "Read-only")),
    ("a_write_to_the_tool", Fail("OSError", "Read-only")),
    ("a_removed_library", Fail("OSError", "Read-only")),
    ("a_renamed_tool", Fail("OSError", "")),
    ("a_link_out", Fail("OSError", "")),
    ("a_hard_link", Fail("OSError", "")),
    ("a_file_outside", Fail("OSError", "Read-only")),
];

const DENIED: Must = Fail("EgressDenied", "");
const NO_FILE: Must = Fail("FileNotFoundError", "");

/// Those that look for what is not theirs.
const LEAKS: &[(&str, Must)] = &[
    ("processes", NO_FILE),
    ("the_own_process", NO_FILE),
    ("passwords", NO_FILE),
    ("the_folder_above", Fail("", "")),
    ("above_the_library", Fail("", "")),
    ("above_the_tool", Fail("", "")),
    ("devices", NO_FILE),
    ("the_root", Return("python,tmp,tool")),
    ("the_own_folder_of_files", Return("")),
    ("variables", Return("")),
    ("arguments", Return("")),
    ("the_machine", Return("")),
    ("users", Fail("", "")),
    ("loopback", DENIED),
    ("loopback_by_name", DENIED),
    ("loopback_in_decimal", DENIED),
    ("loopback_in_octal", DENIED),
    ("loopback_in_hexadecimal", DENIED),
    ("loopback_shortened", DENIED),
    ("loopback_in_ipv6", DENIED),
    ("loopback_mapped", DENIED),
    ("loopback_compatible", DENIED),
    ("loopback_translated", DENIED),
    ("every_address", DENIED),
    ("metadata", DENIED),
    ("metadata_by_name", DENIED),
    ("metadata_mapped", DENIED),
    ("link_local", DENIED),
    ("a_private_network", DENIED),
    ("another_port", DENIED),
    ("a_name_that_nobody_allowed", DENIED),
    ("a_user_in_the_url", Fail("", "")),
    ("a_file_as_a_url", Fail("", "")),
    ("a_server", Fail("OSError", "")),
    ("datagrams", Fail("", "")),
    ("a_raw_socket", Fail("", "")),
    ("a_unix_socket", Fail("", "")),
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

    let is_over = AtomicBool::new(false);
    let neighbour = async {
        let mut calls = 0;
        while !is_over.load(Ordering::Relaxed) {
            assert_eq!(client.result(&counter, json!({})).await, succeeded("1"));
            calls += 1;
        }
        calls
    };
    let tricks = async {
        let mut wrong = Vec::new();
        // What floods takes its time, and more of it side by side.
        for (tricks, at_once) in [(ENDLESS, 10), (FLOODS, 2), (ESCAPES, 10), (LEAKS, 10)] {
            for some in tricks.chunks(at_once) {
                wrong.extend(play(client, &hostile, some).await);
            }
        }
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
        let text = |field: &str| result[field].as_str().unwrap_or_default();
        match *self {
            Return(output) => result["succeeded"] == true && text("output").contains(output),
            Fail(kind, message) => {
                text("exception_type").starts_with(kind)
                    && !text("exception_type").is_empty()
                    && text("exception_message").contains(message)
            }
        }
    }
}

fn told(trick: &str, result: &Value) -> String {
    let result = result.to_string();
    format!("{trick}: {}", result.chars().take(400).collect::<String>())
}
