//! What each request says: its method, path, headers and body, with placeholders for what differs from one
//! request to the next.
//!
//! A [`Template`] is text as it is typed, with placeholders in braces. A [`Form`] is templates for all parts of
//! a request. [`Form::compile`] fills in, once, what all requests of a run have in common; of the [`Text`]s that
//! it leaves, making one request takes one copy.

mod escape;
mod form;
mod outgoing;
pub mod parts;
mod placeholder;
mod template;
mod text;

pub use form::{Compiled, Constants, Form, NotJson};
pub use outgoing::{MAX_FILLED, Outgoing, Parts};
pub use placeholder::{Placeholder, Values};
pub use template::{Template, TemplateError};
pub use text::Text;
