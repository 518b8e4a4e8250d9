use super::ink::Ink;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;
use std::fmt::Write;

/// The canvas's own units. It is stretched over whatever room there is: lines keep their width, and there is no text on
/// it.
pub const WIDTH: u32 = 3000;
pub const HEIGHT: u32 = 1000;

/// What the charting library draws on: paths of SVG, whose classes say what they stand for. Neighbours that look the same
/// are one path.
pub struct Canvas<'a> {
    out: &'a mut String,
    /// The ink of the path that is not closed yet, and whether it is filled.
    open: Option<(Ink, bool)>,
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl<'a> Canvas<'a> {
    pub fn new(out: &'a mut String) -> Canvas<'a> {
        Canvas { out, open: None }
    }

    fn begin(&mut self, colour: BackendColor, filled: bool) {
        let next = (Ink::of(colour.rgb), filled);
        if self.open == Some(next) {
            return;
        }
        self.end();
        let kind = if filled { 'f' } else { 's' };
        // Cannot fail: a String takes everything.
        let _ = write!(self.out, r#"<path class="{kind}-{}" d=""#, next.0.name());
        self.open = Some(next);
    }

    fn end(&mut self) {
        if self.open.take().is_some() {
            self.out.push_str("\"/>");
        }
    }

    /// Steps along one axis, of which charts by time have many, are written short.
    fn trace(&mut self, points: impl IntoIterator<Item = BackendCoord>, closed: bool) {
        let mut last: Option<BackendCoord> = None;
        let mut moved = false;
        for (x, y) in points {
            let _ = match last {
                None => write!(self.out, "M{x} {y}"),
                Some(before) if before == (x, y) => continue,
                Some((_, before)) if before == y => write!(self.out, "H{x}"),
                Some((before, _)) if before == x => write!(self.out, "V{y}"),
                Some(_) => write!(self.out, "L{x} {y}"),
            };
            moved |= last.is_some();
            last = Some((x, y));
        }
        match (last, closed, moved) {
            (None, ..) => {}
            (Some(_), true, _) => self.out.push('Z'),
            // A point: the round ends of a line without length.
            (Some(_), false, false) => self.out.push_str("h0"),
            (Some(_), false, true) => {}
        }
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        self.end();
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Done {
        self.begin(color, false);
        self.trace([point], false);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Done {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        self.begin(style.color(), false);
        self.trace(path, false);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Done {
        self.begin(style.color(), fill);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        self.trace(corners, true);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Done {
        self.begin(style.color(), true);
        self.trace(vert, true);
        Ok(())
    }
}

impl Drop for Canvas<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
