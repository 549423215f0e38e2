//! Ratios as dots on a logarithmic scale: many scenarios, several brokers, one glance.

use super::scale::{Ruler, Scale};
use super::svg::{Anchor, Drawing};
use super::{Axis, Chart, Frame, colour};

const TOP_PX: f64 = 6.0;
const BOTTOM_PX: f64 = 40.0;
const EDGE_PX: f64 = 14.0;
/// From this width on, names have a column of their own.
const BESIDE_FROM_PX: f64 = 500.0;

/// One broker's ratio in a row.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Dot {
    /// Whose it is.
    pub(in crate::command::bench::report) name: String,
    /// Number of its colour.
    pub(in crate::command::bench::report) colour: usize,
    pub(in crate::command::bench::report) value: f64,
    /// The least and the most of all rounds.
    pub(in crate::command::bench::report) spread: (f64, f64),
    /// The value for people.
    pub(in crate::command::bench::report) label: String,
}

/// One scenario.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Row {
    pub(in crate::command::bench::report) name: String,
    pub(in crate::command::bench::report) dots: Vec<Dot>,
}

/// Rows of dots around a line at 1.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Dots {
    /// What a screen reader says.
    pub(in crate::command::bench::report) name: String,
    pub(in crate::command::bench::report) x: Axis,
    pub(in crate::command::bench::report) rows: Vec<Row>,
}

impl Chart for Dots {
    fn draw(&self, frame: Frame) -> String {
        let layout = Layout::of(frame);
        let bottom = TOP_PX + self.rows.len() as f64 * layout.row_px;
        let height = bottom + BOTTOM_PX;
        let (left, right) = (layout.left, frame.width - 24.0);
        let dots = self.rows.iter().flat_map(|row| &row.dots);
        let values = dots.flat_map(|dot| [dot.value, dot.spread.0, dot.spread.1]);
        let x = Ruler::over(values.chain([1.0]), Scale::Log, true, (left, right));

        let mut drawing = Drawing::new(frame.width, height);
        for tick in x.ticks(((right - left) / 45.0) as usize) {
            let Some(at) = x.at(tick) else { continue };
            drawing.line("grid", (at, TOP_PX), (at, bottom));
            drawing.text("tick", (at, bottom + 16.0), Anchor::Middle, &(self.x.tick)(tick));
        }
        drawing.text(
            "title",
            ((left + right) / 2.0, height - 6.0),
            Anchor::Middle,
            &self.x.title,
        );
        let mut top = TOP_PX;
        for row in &self.rows {
            let middle = top + layout.middle_px;
            drawing.text("name", (EDGE_PX, top + layout.name_px), Anchor::Start, &row.name);
            drawing.line("rail", (left, middle), (right, middle));
            if let Some(one) = x.at(1.0) {
                drawing.line("axis", (one, middle - 10.0), (one, middle + 10.0));
            }
            // The reference is drawn last, so that no dot hides it.
            for dot in row.dots.iter().rev() {
                dot.draw(&mut drawing, &x, middle);
            }
            top += layout.row_px;
        }
        drawing.finish(&self.name)
    }
}

/// Where a row's name, rail and next row are, from its upper edge.
struct Layout {
    left: f64,
    row_px: f64,
    name_px: f64,
    middle_px: f64,
}

impl Layout {
    /// Names stand beside the rails where there is room, above them on a phone.
    fn of(frame: Frame) -> Self {
        if frame.width >= BESIDE_FROM_PX {
            Self {
                left: EDGE_PX + 230.0,
                row_px: 28.0,
                name_px: 18.0,
                middle_px: 14.0,
            }
        } else {
            Self {
                left: EDGE_PX,
                row_px: 40.0,
                name_px: 13.0,
                middle_px: 27.0,
            }
        }
    }
}

impl Dot {
    fn draw(&self, drawing: &mut Drawing, x: &Ruler, middle: f64) {
        let Some(at) = x.at(self.value) else { return };
        let colour = colour(self.colour);
        if let (Some(least), Some(most)) = (x.at(self.spread.0), x.at(self.spread.1))
            && most - least > 1.0
        {
            drawing.line(&format!("range {colour}"), (least, middle), (most, middle));
        }
        drawing.circle(&format!("dot {colour}"), (at, middle), 5.0);
        let told = format!("{}: {}", self.name, self.label);
        drawing.rectangle("note", (at - 8.0, middle - 9.0), (16.0, 18.0), &told);
    }
}
