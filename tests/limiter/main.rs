//! The reference rate limiter: its nodes, its command and its store in Redis.

#[cfg(unix)]
mod command;
mod http;
#[cfg(unix)]
mod redis_store;
