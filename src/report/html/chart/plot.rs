use super::axis::Axis;
use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::ink::Ink;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::style::TRANSPARENT;

/// A chart without its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    pub x: Axis,
    pub y: Axis,
    /// The lowest first; the grid is above every [`Layer::Span`] and below all else.
    pub layers: Vec<Layer>,
}

/// Shapes of one ink, in the axes' units.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// The whole height, from one place to another.
    Span {
        ink: Ink,
        from: f64,
        to: f64,
    },
    Line {
        ink: Ink,
        points: Vec<(f64, f64)>,
    },
    /// A closed outline, filled.
    Area {
        ink: Ink,
        outline: Vec<(f64, f64)>,
    },
    /// Rectangles, each by two corners.
    Cells {
        ink: Ink,
        cells: Vec<[(f64, f64); 2]>,
    },
}

/// What is drawn of a span without length.
const LEAST: f64 = 2.0 / WIDTH as f64;

impl Plot {
    /// As an `svg` element that fills whatever it is put into.
    pub fn svg(&self) -> String {
        let mut shapes = String::new();
        // Cannot fail: neither the canvas nor the layout without labels has a way to.
        let drawn = self.draw(Canvas::new(&mut shapes));
        debug_assert!(drawn.is_ok(), "{drawn:?}");
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">{shapes}</svg>"#
        )
    }

    fn draw(&self, canvas: Canvas<'_>) -> Drawn {
        let area = canvas.into_drawing_area();
        let mut chart =
            ChartBuilder::on(&area).build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let is_span = |layer: &&Layer| matches!(layer, Layer::Span { .. });
        for span in self.layers.iter().filter(is_span) {
            self.add(&mut chart, span)?;
        }
        chart
            .configure_mesh()
            .disable_axes()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::GRID.style(false))
            .draw()?;
        for shape in self.layers.iter().filter(|layer| !is_span(layer)) {
            self.add(&mut chart, shape)?;
        }
        area.present()?;
        Ok(())
    }

    fn add(&self, chart: &mut Chart<'_, '_>, layer: &Layer) -> Drawn {
        match layer {
            Layer::Span { ink, from, to } => {
                let length = self.x.end() - self.x.start();
                let to = to.max(from + LEAST * length);
                let corners = [(*from, self.y.start()), (to, self.y.end())];
                chart.draw_series([Rectangle::new(corners, ink.style(true))])?;
            }
            Layer::Line { ink, points } => {
                // A line series has no shape for a point alone.
                let line = PathElement::new(points.clone(), ink.style(false));
                chart.draw_series([line])?;
            }
            Layer::Area { ink, outline } => {
                let area = Polygon::new(outline.clone(), ink.style(true));
                chart.draw_series([area])?;
            }
            Layer::Cells { ink, cells } => {
                let cell = |corners: &[_; 2]| Rectangle::new(*corners, ink.style(true));
                chart.draw_series(cells.iter().map(cell))?;
            }
        }
        Ok(())
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

type Chart<'a, 'b> = ChartContext<'a, Canvas<'b>, Cartesian2d<Axis, Axis>>;
