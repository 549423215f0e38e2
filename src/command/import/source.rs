//! Mosquitto's configuration as lines: a keyword and its value, with the file and the number of the line.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::failure::Failure;

/// A configuration has no more lines than this.
const LINES_MAX: usize = 100_000;
/// Keywords whose values nobody should find in a report.
const SECRETS: [&str; 6] = [
    "password",
    "remote_password",
    "local_password",
    "bridge_psk",
    "tls_engine_kpass_sha1",
    "bridge_tls_engine_kpass_sha1",
];
/// Beginnings of keywords whose values are a plugin's own, secrets among them.
const OPTIONS_OF_PLUGINS: [&str; 2] = ["auth_opt_", "plugin_opt_"];

/// One line that is not empty and not a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The file as it was named.
    pub(super) file: Rc<str>,
    /// Counted from 1.
    pub(super) number: usize,
    /// What the line is about.
    pub(super) key: String,
    /// What follows the keyword; empty where nothing does.
    pub(super) value: String,
}

impl Line {
    /// Where it stands: `mosquitto.conf:12`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }

    /// The line as it was written, without what is secret.
    pub(super) fn shown(&self) -> String {
        let is_secret =
            SECRETS.contains(&self.key.as_str()) || OPTIONS_OF_PLUGINS.iter().any(|start| self.key.starts_with(start));
        match (self.value.is_empty(), is_secret) {
            (true, _) => self.key.clone(),
            (false, true) => format!("{} ***", self.key),
            (false, false) => format!("{} {}", self.key, self.value),
        }
    }

    /// The value, if it says true or false.
    ///
    /// # Errors
    ///
    /// Another word, with the place.
    pub(super) fn flag(&self) -> Result<bool, Failure> {
        match self.value.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(self.wrong(&format!("`{other}` is neither true nor false"))),
        }
    }

    /// The value as a number.
    ///
    /// # Errors
    ///
    /// Something else, with the place.
    pub(super) fn number_of<T: std::str::FromStr>(&self) -> Result<T, Failure> {
        let number = self.value.parse();
        number.map_err(|_| self.wrong(&format!("`{}` is no number that fits here", self.value)))
    }

    /// A mistake in this line.
    pub(super) fn wrong(&self, what: &str) -> Failure {
        Failure::Usage(format!(
            "{}: {}: {what}; mend the line, and import again",
            self.place(),
            self.key
        ))
    }
}

/// All lines of the file and of those that it includes, in Mosquitto's order.
///
/// # Errors
///
/// A file or a directory that cannot be read.
pub(super) fn read(file: &Path) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for line in lines_of(file)? {
        let included = (line.key == "include_dir").then(|| PathBuf::from(&line.value));
        lines.push(line);
        for file in included.map_or(Ok(Vec::new()), |directory| configurations_in(&directory))? {
            lines.extend(lines_of(&file)?);
        }
    }
    if lines.len() > LINES_MAX {
        let what = format!(
            "{}: more than {LINES_MAX} lines; is it a configuration?",
            file.display()
        );
        return Err(Failure::Usage(what));
    }
    Ok(lines)
}

fn lines_of(file: &Path) -> Result<Vec<Line>, Failure> {
    let text = fs::read_to_string(file).map_err(Failure::io(format!("read {}", file.display())))?;
    Ok(lines_in(&file.display().to_string(), &text))
}

/// The lines of a text: a line that begins with # is a comment.
pub(super) fn lines_in(name: &str, text: &str) -> Vec<Line> {
    let file: Rc<str> = Rc::from(name);
    let numbered = text.lines().enumerate();
    let told = numbered.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    told.map(|(place, line)| {
        let line = line.trim();
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Line {
            file: Rc::clone(&file),
            number: place + 1,
            key: key.to_owned(),
            value: value.trim().to_owned(),
        }
    })
    .collect()
}

/// The files of `include_dir`: by the alphabet, of one letter the upper case first.
fn configurations_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = || Failure::io(format!("read {}", directory.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            files.push(path);
        }
    }
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.to_lowercase(), name)
    });
    Ok(files)
}
