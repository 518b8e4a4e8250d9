//! Mangled and valid input of every kind, from a seeded generator: everything is read or refused in one clear line, and
//! costs a bounded amount of work and memory.
//!
//! Each file has one kind of input. `PROPTEST_CASES` sets how many inputs of a kind are tried (256 by default; of those
//! that are slow, a fraction), and `PROPTEST_RNG_SEED` repeats a run:
//!
//! ```text
//! PROPTEST_CASES=100000 cargo test --profile properties --test mangled
//! ```

mod answers;
mod cost;
mod grammars;
mod keys_files;
mod limit_headers;
mod mangling;
mod options;
mod recorded_requests;
mod refusals;
mod saved_summaries;
#[path = "../support/summaries.rs"]
mod summaries;

#[global_allocator]
static ALLOCATOR: cost::Counting = cost::Counting;
