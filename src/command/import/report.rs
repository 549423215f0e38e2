//! What became of each line.

use std::fmt::Write as _;

use super::source::Line;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The result does what the line asked for.
    Converted,
    /// Nothing has to be done for it.
    NotNeeded,
    /// The result does not do what the line asked for.
    NotConverted,
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Self::Converted => "converted",
            Self::NotNeeded => "not needed",
            Self::NotConverted => "NOT CONVERTED",
        }
    }
}

/// What became of one line, and how or why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) fate: Fate,
    pub(super) text: String,
}

impl Note {
    pub(super) fn converted(text: impl Into<String>) -> Self {
        Self::of(Fate::Converted, text)
    }

    pub(super) fn not_needed(text: impl Into<String>) -> Self {
        Self::of(Fate::NotNeeded, text)
    }

    pub(super) fn not_converted(text: impl Into<String>) -> Self {
        Self::of(Fate::NotConverted, text)
    }

    fn of(fate: Fate, text: impl Into<String>) -> Self {
        Self {
            fate,
            text: text.into(),
        }
    }
}

/// What became of all lines, in their order.
#[derive(Debug, Default)]
pub(super) struct Report {
    notes: Vec<(String, String, Note)>,
    /// What holds for the whole.
    remarks: Vec<String>,
}

impl Report {
    /// Tells of the next line.
    pub(super) fn tell(&mut self, line: &Line, note: Note) {
        self.notes.push((line.place(), line.shown(), note));
    }

    /// Tells of a line of a file that the configuration names.
    pub(super) fn tell_of(&mut self, place: String, line: &str, note: Note) {
        self.notes.push((place, line.trim().to_owned(), note));
    }

    /// The number that the next line will have.
    pub(super) fn next(&self) -> usize {
        self.notes.len()
    }

    /// Says something else of a line that was told of.
    pub(super) fn correct(&mut self, line: usize, note: Note) {
        if let Some((_, _, told)) = self.notes.get_mut(line) {
            *told = note;
        }
    }

    /// Says what holds for the whole.
    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// How many lines had this fate.
    pub(super) fn count(&self, fate: Fate) -> usize {
        self.notes.iter().filter(|(_, _, note)| note.fate == fate).count()
    }

    /// The report for people: a line for each line, its fate below it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (place, line, note) in &self.notes {
            let _ = writeln!(text, "{place}: {line}\n    {}: {}", note.fate.words(), note.text);
        }
        if !self.remarks.is_empty() {
            text.push_str("\nBesides:\n");
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "  - {remark}");
        }
        let counts = [Fate::Converted, Fate::NotNeeded, Fate::NotConverted]
            .map(|fate| format!("{} {}", self.count(fate), fate.words().to_lowercase()));
        let noun = if self.notes.len() == 1 { "line" } else { "lines" };
        let _ = writeln!(text, "\n{} {noun}: {}", self.notes.len(), counts.join(", "));
        text
    }
}
