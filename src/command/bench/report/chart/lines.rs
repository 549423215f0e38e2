//! Lines over time or over percentiles.

use std::fmt::Write as _;

use super::scale::{Ruler, Scale};
use super::svg::{Anchor, Drawing};
use super::{Axis, Chart, Frame, colour, text_px};

const TOP_PX: f64 = 12.0;
const BOTTOM_PX: f64 = 42.0;
const RIGHT_PX: f64 = 14.0;
/// Places along the x axis that tell their values to a pointer.
const PLACES_MAX: usize = 60;

/// One line.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Series {
    /// As the pointer's note calls it.
    pub(in crate::command::bench::report) name: String,
    /// Number of its colour.
    pub(in crate::command::bench::report) colour: usize,
    /// Broken, to tell a second line of the same colour.
    pub(in crate::command::bench::report) dashed: bool,
    /// Ascending in x.
    pub(in crate::command::bench::report) points: Vec<(f64, f64)>,
}

/// A chart of lines.
#[derive(Debug, Clone)]
pub(in crate::command::bench::report) struct Lines {
    /// What a screen reader says.
    pub(in crate::command::bench::report) name: String,
    pub(in crate::command::bench::report) x: Axis,
    pub(in crate::command::bench::report) y: Axis,
    /// How a value of y is written in the pointer's note, with its unit.
    pub(in crate::command::bench::report) note: fn(f64) -> String,
    pub(in crate::command::bench::report) series: Vec<Series>,
}

impl Chart for Lines {
    fn draw(&self, frame: Frame) -> String {
        let bottom = frame.height - BOTTOM_PX;
        let y = self.ruler(&self.y, |point| point.1, true, (bottom, TOP_PX));
        let y_ticks: Vec<_> = labelled(&y, &self.y, ((bottom - TOP_PX) / 28.0) as usize);
        let label_px = y_ticks.iter().map(|(_, label)| text_px(label)).fold(0.0, f64::max);
        let left = 22.0 + label_px + 6.0;
        let right = frame.width - RIGHT_PX;
        let x = self.ruler(&self.x, |point| point.0, false, (left, right));

        let mut drawing = Drawing::new(frame.width, frame.height);
        for (at, label) in &y_ticks {
            drawing.line("grid", (left, *at), (right, *at));
            drawing.text("tick", (left - 6.0, at + 4.0), Anchor::End, label);
        }
        for (at, label) in labelled(&x, &self.x, ((right - left) / 64.0) as usize) {
            drawing.line("grid", (at, TOP_PX), (at, bottom));
            let last = frame.width - text_px(&label) / 2.0 - 1.0;
            drawing.text("tick", (at.min(last), bottom + 16.0), Anchor::Middle, &label);
        }
        drawing.line("axis", (left, bottom), (right, bottom));
        drawing.text(
            "title",
            ((left + right) / 2.0, frame.height - 8.0),
            Anchor::Middle,
            &self.x.title,
        );
        drawing.upward_text("title", (12.0, (TOP_PX + bottom) / 2.0), &self.y.title);
        let is_empty = self.series.iter().all(|series| series.points.is_empty());
        if is_empty {
            drawing.text(
                "empty",
                ((left + right) / 2.0, bottom / 2.0),
                Anchor::Middle,
                "no samples",
            );
        }
        for series in &self.series {
            series.draw(&mut drawing, &x, &y);
        }
        self.notes(&mut drawing, &x, (TOP_PX, bottom));
        drawing.finish(&self.name)
    }
}

impl Lines {
    fn ruler(&self, axis: &Axis, part: fn(&(f64, f64)) -> f64, rounded: bool, range: (f64, f64)) -> Ruler {
        let values = self.series.iter().flat_map(|series| series.points.iter().map(part));
        Ruler::over(values, axis.scale, rounded, range)
    }

    /// Invisible columns, each with the values of all lines there for a resting pointer.
    fn notes(&self, drawing: &mut Drawing, x: &Ruler, (top, bottom): (f64, f64)) {
        let Some(longest) = self.series.iter().max_by_key(|series| series.points.len()) else {
            return;
        };
        let every = longest.points.len().div_ceil(PLACES_MAX).max(1);
        let places: Vec<_> = longest
            .points
            .iter()
            .step_by(every)
            .filter_map(|(value, _)| Some((*value, x.at(*value)?)))
            .collect();
        for (index, (value, at)) in places.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| places.get(index));
            let from = before.map_or(at - 4.0, |(_, before)| (before + at) / 2.0);
            let to = places.get(index + 1).map_or(at + 4.0, |(_, after)| (after + at) / 2.0);
            let mut told = format!("{} {}", (self.x.tick)(*value), unit(&self.x.title));
            for series in &self.series {
                if let Some((_, y)) = series.nearest(*value) {
                    let _ = write!(told, "\n{}: {}", series.name, (self.note)(y));
                }
            }
            drawing.rectangle("note", (from, top), (to - from, bottom - top), &told);
        }
    }
}

impl Series {
    fn draw(&self, drawing: &mut Drawing, x: &Ruler, y: &Ruler) {
        let points: Vec<_> = self
            .points
            .iter()
            .filter_map(|(of_x, of_y)| Some((x.at(*of_x)?, y.at(*of_y)?)))
            .collect();
        let colour = colour(self.colour);
        match points.as_slice() {
            [] => {}
            [only] => drawing.circle(&format!("dot {colour}"), *only, 3.5),
            _ => {
                let dash = if self.dashed { " dashed" } else { "" };
                drawing.polyline(&format!("line {colour}{dash}"), &points);
            }
        }
    }

    fn nearest(&self, x: f64) -> Option<(f64, f64)> {
        self.points
            .iter()
            .copied()
            .min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()))
    }
}

/// Ticks with their pixels and labels.
fn labelled(ruler: &Ruler, axis: &Axis, most: usize) -> Vec<(f64, String)> {
    let mut last: Option<f64> = None;
    ruler
        .ticks(most.max(2))
        .into_iter()
        .filter_map(|tick| Some((ruler.at(tick)?, (axis.tick)(tick))))
        .filter(|(at, label)| {
            // Percentiles crowd at the left: one label gives way to another.
            let fits = axis.scale != Scale::Nines || last.is_none_or(|last| (at - last).abs() > text_px(label) + 6.0);
            if fits {
                last = Some(*at);
            }
            fits
        })
        .collect()
}

/// What stands in the parentheses of an axis title.
fn unit(title: &str) -> &str {
    title
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(unit, _)| unit)
}
