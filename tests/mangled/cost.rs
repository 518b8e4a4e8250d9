//! The processor time and the memory that a computation takes. Both are of its own thread, so that a busy machine and
//! other tests change neither.

use rustix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// The bytes that this thread has allocated and not freed, and the most of them since the last reset.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, with a count for each thread.
pub struct Counting;

fn count(bytes: isize) {
    // A thread that ends still frees memory when its count is gone.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub processor: Duration,
    /// The most bytes that were held at once, beyond those held before.
    pub memory: usize,
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Carries out `work` on this thread, and measures it.
pub fn cost_of<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let began = processor_time();
    let result = work();
    let cost = Cost {
        processor: processor_time() - began,
        memory: HELD.with(|held| (held.get().1 - before).max(0) as usize),
    };
    (result, cost)
}

/// Carries out `work`, and fails the test if it takes more.
#[track_caller]
pub fn within<T>(seconds: u64, mebibytes: usize, input: &str, work: impl FnOnce() -> T) -> T {
    let (result, cost) = cost_of(work);
    let is_within =
        cost.processor <= Duration::from_secs(seconds) && cost.memory <= mebibytes << 20;
    assert!(is_within, "{cost:?} for {input}");
    result
}

#[test]
fn the_most_memory_at_once_is_counted() {
    let (_, cost) = cost_of(|| {
        drop(std::hint::black_box(vec![1_u8; 3 << 20]));
        std::hint::black_box(vec![1_u8; 2 << 20]).len()
    });
    assert!((3 << 20..4 << 20).contains(&cost.memory), "{cost:?}");
}
