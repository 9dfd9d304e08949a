//! What an invocation may cost, in what can be counted: a change that makes it cost more is seen here, on any machine.
//!
//! Time is measured by the bench `invoke`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use runtime::builds;
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;

/// Counts the host's allocations.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "the trait is: this hands everything on")]
// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Of the small tool, which makes 70.
const MOST_ALLOCATIONS: usize = 90;
/// Pages of 4 KiB that it writes, each of which is copied afterwards: 105.
const MOST_PAGES: usize = 120;

#[test]
fn an_invocation_allocates_and_writes_no_more_than_it_did() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/tools/small");
    let built = builds::build(&cache, &project, &Settings::default()).expect("a built tool");
    let runtime = Runtime::new(Options::new(&cache)).expect("a runtime");
    let tool = runtime.load_file(&built).expect("a tool");
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an executor");
    let calls = |count: usize| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..count {
            let parameters = serde_json::json!({"document": "[1, 2, 3]"});
            let call = Call::new(&parameters, Mode::Regular);
            let report = executor.block_on(tool.invoke(&call, &Limits::default())).expect("a report");
            assert!(matches!(report.outcome, Outcome::Returned { .. }), "{report:?}");
            // Its memory is made clean when it has answered.
            executor.block_on(tokio::task::yield_now());
        }
        (ALLOCATIONS.load(Ordering::Relaxed) - before) / count
    };
    calls(10);
    let allocations = calls(20);
    let idle = runtime.idle_memory();
    let pages = idle.resident_bytes / 4096 / idle.memories.max(1);
    println!("{allocations} allocations and {pages} pages written in each of {} memories", idle.memories);
    assert!((20..=MOST_ALLOCATIONS).contains(&allocations), "{allocations} allocations");
    assert!((20..=MOST_PAGES).contains(&pages), "{pages} pages");
}
