//! Bars from zero, each with the spread of its rounds.

use super::scale::{Ruler, Scale};
use super::svg::{Anchor, Drawing};
use super::{Axis, Chart, Frame, colour};

const TOP_PX: f64 = 6.0;
const BOTTOM_PX: f64 = 40.0;
const ROW_PX: f64 = 46.0;
const BAR_PX: f64 = 16.0;
const LEFT_PX: f64 = 12.0;

/// One bar.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Bar {
    /// Whose it is.
    pub(in crate::command::bench::report) name: String,
    /// Number of its colour.
    pub(in crate::command::bench::report) colour: usize,
    /// Its length.
    pub(in crate::command::bench::report) value: f64,
    /// The least and the most of all rounds.
    pub(in crate::command::bench::report) spread: (f64, f64),
    /// The value for people, with its unit.
    pub(in crate::command::bench::report) label: String,
}

/// Bars under each other, the label of each above it, so that long names have room on a phone.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Bars {
    /// What a screen reader says.
    pub(in crate::command::bench::report) name: String,
    pub(in crate::command::bench::report) x: Axis,
    pub(in crate::command::bench::report) bars: Vec<Bar>,
}

impl Chart for Bars {
    fn draw(&self, frame: Frame) -> String {
        let bottom = TOP_PX + self.bars.len() as f64 * ROW_PX;
        let height = bottom + BOTTOM_PX;
        let right = frame.width - 24.0;
        let ends = self.bars.iter().flat_map(|bar| [bar.value, bar.spread.1]);
        let x = Ruler::over(ends, Scale::Linear, false, (LEFT_PX, right));

        let mut drawing = Drawing::new(frame.width, height);
        for tick in x.ticks((frame.width / 90.0) as usize) {
            let Some(at) = x.at(tick) else { continue };
            drawing.line("grid", (at, TOP_PX), (at, bottom));
            drawing.text("tick", (at, bottom + 16.0), Anchor::Middle, &(self.x.tick)(tick));
        }
        drawing.text(
            "title",
            ((LEFT_PX + right) / 2.0, height - 6.0),
            Anchor::Middle,
            &self.x.title,
        );
        let mut top = TOP_PX;
        for bar in &self.bars {
            bar.draw(&mut drawing, &x, top, right);
            top += ROW_PX;
        }
        drawing.line("axis", (LEFT_PX, TOP_PX), (LEFT_PX, bottom));
        drawing.finish(&self.name)
    }
}

impl Bar {
    fn draw(&self, drawing: &mut Drawing, x: &Ruler, top: f64, right: f64) {
        let end = x.at(self.value).unwrap_or(LEFT_PX);
        let corner = (LEFT_PX, top + 22.0);
        let middle = corner.1 + BAR_PX / 2.0;
        drawing.text("name", (LEFT_PX + 2.0, top + 16.0), Anchor::Start, &self.name);
        drawing.text("value", (right, top + 16.0), Anchor::End, &self.label);
        let told = format!("{}: {}", self.name, self.label);
        drawing.rectangle(
            &format!("bar {}", colour(self.colour)),
            corner,
            (end - LEFT_PX, BAR_PX),
            &told,
        );
        if let (Some(least), Some(most)) = (x.at(self.spread.0), x.at(self.spread.1))
            && most - least > 1.0
        {
            drawing.line("spread", (least, middle), (most, middle));
            drawing.line("spread", (least, middle - 4.0), (least, middle + 4.0));
            drawing.line("spread", (most, middle - 4.0), (most, middle + 4.0));
        }
    }
}
