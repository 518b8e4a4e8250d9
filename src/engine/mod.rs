pub mod pacer;
mod sample;
mod worker;
pub use pacer::Token;
pub use sample::Sample;
