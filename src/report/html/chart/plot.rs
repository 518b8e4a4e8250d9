use super::axis::Axis;
use super::style::{Paint, Style};
use std::fmt::Write;

/// A chart without its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    pub x: Axis,
    pub y: Axis,
    /// The lowest first. The grid is above every [`Layer::Span`] and below everything else.
    pub layers: Vec<Layer>,
}

/// Shapes of one style, in the axes' units.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// The whole height, from one place to another.
    Span { style: Style, from: f64, to: f64 },
    Line {
        style: Style,
        points: Vec<(f64, f64)>,
    },
    /// A closed outline, filled.
    Area {
        style: Style,
        outline: Vec<(f64, f64)>,
    },
    /// Rectangles, each by two corners.
    Cells {
        style: Style,
        cells: Vec<[(f64, f64); 2]>,
    },
}

/// The drawing's own units. The page stretches it over whatever room there is: lines keep their width, and there is no
/// text in it.
const WIDTH: f64 = 3000.0;
const HEIGHT: f64 = 1000.0;

/// The width at which a span without length is drawn, as a share of the whole.
const LEAST: f64 = 2.0 / WIDTH;

impl Plot {
    /// An `svg` element that fills whatever contains it.
    pub fn svg(&self) -> String {
        let mut paths = Paths::default();
        let is_span = |layer: &&Layer| matches!(layer, Layer::Span { .. });
        for span in self.layers.iter().filter(is_span) {
            self.draw(span, &mut paths);
        }
        self.draw_grid(&mut paths);
        for shape in self.layers.iter().filter(|layer| !is_span(layer)) {
            self.draw(shape, &mut paths);
        }
        for mark in &self.x.marks {
            let ends = [(mark.at, self.y.start()), (mark.at, self.y.end())];
            let line = ends.map(|point| self.place(point));
            paths.add(Paint::Line, Style::EVENT, line);
        }
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>"#,
            paths.finish()
        )
    }

    fn draw_grid(&self, paths: &mut Paths) {
        let (x, y) = (&self.x, &self.y);
        let upright = x
            .ticks
            .iter()
            .map(|tick| [(tick.at, y.start()), (tick.at, y.end())]);
        let level = y
            .ticks
            .iter()
            .map(|tick| [(x.start(), tick.at), (x.end(), tick.at)]);
        for line in upright.chain(level) {
            paths.add(
                Paint::Line,
                Style::GRID,
                line.map(|point| self.place(point)),
            );
        }
    }

    fn draw(&self, layer: &Layer, paths: &mut Paths) {
        let place = |point: &(f64, f64)| self.place(*point);
        match layer {
            Layer::Span { style, from, to } => {
                let to = to.max(from + LEAST * (self.x.end() - self.x.start()));
                let corners = [(*from, self.y.start()), (to, self.y.end())];
                self.rectangle(*style, &corners, paths);
            }
            Layer::Line { style, points } => {
                paths.add(Paint::Line, *style, points.iter().map(place));
            }
            Layer::Area { style, outline } => {
                paths.add(Paint::Fill, *style, outline.iter().map(place));
            }
            Layer::Cells { style, cells } => {
                for corners in cells {
                    self.rectangle(*style, corners, paths);
                }
            }
        }
    }

    fn rectangle(&self, style: Style, corners: &[(f64, f64); 2], paths: &mut Paths) {
        let [(left, bottom), (right, top)] = corners.map(|corner| self.place(corner));
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        paths.add(Paint::Fill, style, corners);
    }

    /// A point in the drawing's units, in which heights are counted from the top.
    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        let right = self.x.place(x) * WIDTH;
        let down = (1.0 - self.y.place(y)) * HEIGHT;
        (right.round() as i32, down.round() as i32)
    }
}

/// SVG's `path` elements. Neighbours that look the same are one.
#[derive(Debug, Default)]
struct Paths {
    svg: String,
    /// The look of the last path, which is not closed yet.
    open: Option<(Paint, Style)>,
}

impl Paths {
    fn add(&mut self, paint: Paint, style: Style, points: impl IntoIterator<Item = (i32, i32)>) {
        if self.open != Some((paint, style)) {
            self.close();
            let class = paint.class(style);
            // Cannot fail: a String takes everything.
            let _ = write!(self.svg, r#"<path class="{class}" d=""#);
            self.open = Some((paint, style));
        }
        self.trace(paint, points);
    }

    /// Steps along one axis, of which charts over time have many, are written short.
    fn trace(&mut self, paint: Paint, points: impl IntoIterator<Item = (i32, i32)>) {
        let mut points = points.into_iter();
        let Some(first) = points.next() else {
            return;
        };
        let _ = write!(self.svg, "M{} {}", first.0, first.1);
        let moved = self.svg.len();
        let mut last = first;
        for (x, y) in points {
            let _ = match last {
                before if before == (x, y) => continue,
                (_, before) if before == y => write!(self.svg, "H{x}"),
                (before, _) if before == x => write!(self.svg, "V{y}"),
                _ => write!(self.svg, "L{x} {y}"),
            };
            last = (x, y);
        }
        match paint {
            Paint::Fill => self.svg.push('Z'),
            // The round ends of a line without length are a point.
            Paint::Line if self.svg.len() == moved => self.svg.push_str("h0"),
            Paint::Line => {}
        }
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.svg.push_str("\"/>");
        }
    }

    fn finish(mut self) -> String {
        self.close();
        self.svg
    }
}
