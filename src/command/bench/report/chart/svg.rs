//! The few SVG elements that charts are made of. All text and all attributes are escaped here.

use std::fmt::Write as _;

/// Text that cannot end an attribute or open a tag.
pub(in crate::command::bench::report) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML has no way to write the other control characters.
            control if control.is_control() && control != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// Where a text hangs on its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A drawing under construction. Lengths are pixels from the upper left corner.
#[derive(Debug)]
pub(super) struct Drawing {
    body: String,
    width: f64,
    height: f64,
}

// Writing to a string cannot fail, so what `write!` returns is dropped throughout.
impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            width,
            height,
        }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.body,
            r#"<line class="{class}" x1="{}" y1="{}" x2="{}" y2="{}"/>"#,
            short(from.0),
            short(from.1),
            short(to.0),
            short(to.1)
        );
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let _ = write!(self.body, r#"<polyline class="{class}" points=""#);
        for (x, y) in points {
            let _ = write!(self.body, "{},{} ", short(*x), short(*y));
        }
        self.body.push_str(r#""/>"#);
    }

    pub(super) fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        let _ = write!(
            self.body,
            r#"<circle class="{class}" cx="{}" cy="{}" r="{}"/>"#,
            short(centre.0),
            short(centre.1),
            short(radius)
        );
    }

    /// A rectangle; `told` appears when a pointer rests on it.
    pub(super) fn rectangle(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), told: &str) {
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}">"#,
            short(corner.0),
            short(corner.1),
            short(size.0.max(0.0)),
            short(size.1.max(0.0))
        );
        if !told.is_empty() {
            let _ = write!(self.body, "<title>{}</title>", escape(told));
        }
        self.body.push_str("</rect>");
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{}" y="{}" text-anchor="{}">{}</text>"#,
            short(at.0),
            short(at.1),
            anchor.name(),
            escape(text)
        );
    }

    /// A text that runs upwards, centred on its point.
    pub(super) fn upward_text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let (x, y) = (short(at.0), short(at.1));
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="middle" transform="rotate(-90 {x} {y})">{}</text>"#,
            escape(text)
        );
    }

    /// The finished element; `name` is what a screen reader says.
    pub(super) fn finish(self, name: &str) -> String {
        format!(
            r#"<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>"#,
            short(self.width),
            short(self.height),
            escape(name),
            self.body
        )
    }
}

/// A length to a tenth of a pixel, without a useless zero. What is no number stands at the edge.
fn short(length: f64) -> String {
    if !length.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
