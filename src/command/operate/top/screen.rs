//! The terminal while `strowger top` has it.

use ratatui::DefaultTerminal;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table};

use super::Order;
use super::figures::{Figures, TITLES};
use crate::failure::Failure;

/// The terminal, which is as it was when this is dropped, also after a panic.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    pub(super) fn open() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(Failure::io("take the terminal"))
    }

    /// Shows figures; above them, why there are no newer ones.
    pub(super) fn draw(&mut self, figures: &Figures, order: Order, trouble: Option<&str>) -> Result<(), Failure> {
        let mut lines: Vec<Line> = Vec::new();
        lines.extend(trouble.map(|why| Line::styled(why.to_owned(), Modifier::REVERSED)));
        let summary = figures.summary();
        lines.extend(summary.iter().enumerate().map(|(nth, line)| match nth {
            0 => Line::styled(line.as_str(), Modifier::BOLD),
            _ if line.starts_with("WARNING") => Line::styled(line.as_str(), Modifier::REVERSED),
            _ => Line::raw(line.as_str()),
        }));
        let arrow = if order.is_descending {
            "most first"
        } else {
            "least first"
        };
        let shown = format!(
            "{} of {} clients by {}, {arrow}   (s: sort, r: turn, space: halt, q: quit)",
            figures.clients.len(),
            figures.clients_total,
            order.title()
        );
        lines.push(Line::raw(""));
        lines.push(Line::styled(shown, Modifier::DIM));
        let drawn = self.0.draw(|frame| {
            let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            let [head, body] = Layout::vertical([Constraint::Length(height), Constraint::Min(1)]).areas(frame.area());
            frame.render_widget(Paragraph::new(lines), head);
            frame.render_widget(table(figures), body);
        });
        drawn.map(drop).map_err(Failure::io("write to the terminal"))
    }
}

fn table(figures: &Figures) -> Table<'_> {
    let widths = [
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(12),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(13),
    ];
    let right = |nth: usize, text: String| match nth {
        0 | 1 => Line::raw(text),
        _ => Line::raw(text).right_aligned(),
    };
    let cells = |cells: [String; 7]| cells.into_iter().enumerate().map(move |(nth, text)| right(nth, text));
    let rows = figures.clients.iter().map(|row| Row::new(cells(row.cells())));
    let head = Row::new(cells(TITLES.map(str::to_owned))).style(Style::new().add_modifier(Modifier::UNDERLINED));
    Table::new(rows, widths).header(head)
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
