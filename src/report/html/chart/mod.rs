//! Charts as SVG: what is where is computed by the charting library, how it looks is the stylesheet's, and all text is
//! HTML beside it, which no stretching makes too small to read.

mod axis;
mod canvas;
mod figure;
mod ink;
mod plot;

pub use axis::{Axis, from_share};
pub use figure::{Figure, Key, Size, legend};
pub use ink::Ink;
pub use plot::{Layer, Plot};
