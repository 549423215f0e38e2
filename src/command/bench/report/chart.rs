//! Charts as inline SVG: lines over time or percentiles, bars with their spread, ratios on a logarithmic scale.
//!
//! A chart knows nothing of runs and brokers. It is drawn for a phone and for a desk, and the page's style shows one
//! of the drawings, so that letters are never scaled down. Colours are classes `c0` to `c5` of the style.

mod bars;
mod dots;
mod lines;
mod scale;
mod svg;

pub(super) use bars::{Bar, Bars};
pub(super) use dots::{Dot, Dots, Row};
pub(super) use lines::{Lines, Series};
pub(super) use scale::Scale;
pub(super) use svg::escape;

/// How many colours the style has.
pub(super) const COLOURS: usize = 6;

/// Width of a letter of a label, about, in pixels.
const LETTER_PX: f64 = 6.3;

/// The room that a chart has, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    width: f64,
    height: f64,
}

/// For a page of 360 pixels with its margins.
const NARROW: Frame = Frame {
    width: 316.0,
    height: 250.0,
};
/// For one of two columns of a desk's page.
const WIDE: Frame = Frame {
    width: 520.0,
    height: 290.0,
};

/// An axis: what it shows, with the unit, and how its values are written.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Title with unit: "latency (µs)".
    pub(super) title: String,
    /// How values are spread.
    pub(super) scale: Scale,
    /// How a tick is written.
    pub(super) tick: fn(f64) -> String,
}

/// For the whole width of a desk's page.
const FULL: Frame = Frame {
    width: 1_080.0,
    height: 290.0,
};

/// What can be drawn in a frame.
pub(super) trait Chart {
    /// The drawing as an `svg` element.
    fn draw(&self, frame: Frame) -> String;

    /// Both sizes, of which the style shows one.
    fn to_html(&self) -> String {
        format!(
            r#"<div class="wide">{}</div><div class="narrow">{}</div>"#,
            self.draw(WIDE),
            self.draw(NARROW)
        )
    }

    /// All three sizes, for a chart that has the page's width to itself.
    fn to_full_html(&self) -> String {
        format!(r#"<div class="full">{}</div>{}"#, self.draw(FULL), self.to_html())
    }
}

/// The class of the n-th colour.
fn colour(index: usize) -> String {
    format!("c{}", index % COLOURS)
}

/// The width of a label, about.
fn text_px(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER_PX
}

#[cfg(test)]
mod tests;
