//! The content of each request: its method, path, headers and body, with placeholders for what differs from one request
//! to the next.
//!
//! 1. [`parse`] reads options into [`Template`]s: text with placeholders in braces.
//! 2. A [`RequestTemplate`] has a template for each part of a request.
//! 3. [`RequestTemplate::compile`] fills in, once, everything that all requests of a run have in common.
//! 4. The [`CompiledRequest`] makes each request from its target, sequence number and key.
//!
//! A new placeholder is a variant of [`Placeholder`] and a row in the table below it.

mod compiled_request;
mod compiled_text;
mod escape;
mod json_body;
pub mod parse;
mod paths;
mod placeholder;
mod request_template;
mod secrets;
mod spelling;
mod template;

pub use compiled_request::{CompiledRequest, MAX_FILLED, RequestBuffers};
pub use json_body::InvalidJson;
pub use paths::Paths;
pub use placeholder::{Constants, Placeholder};
pub use request_template::RequestTemplate;
pub use secrets::{Given, Part, Variables};
pub use spelling::Spelling;
pub use template::{Template, TemplateError, VariableError};
