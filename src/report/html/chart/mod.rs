//! Charts as SVG. The stylesheet says how shapes look, and all text is HTML beside the drawing, which no stretching makes
//! too small to read.

mod axis;
mod figure;
mod mark;
mod plot;
mod style;

pub use axis::{Axis, from_share, last_share};
pub use figure::{Figure, Key, Size, legend};
pub use mark::Mark;
pub use plot::{Layer, Plot};
pub use style::Style;
