//! Rules of the house that no compiler checks. Each rule says what to do about a breach, and is shown to be able to
//! fail.

mod layers;
mod manifest;
mod sources;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One file of the repository: its path from the root, with `/`, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    #[cfg(test)]
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Folders with what is built, downloaded or found by fuzzing.
const NOT_OURS: [&str; 9] = [
    ".git",
    ".cache",
    "__pycache__",
    "artifacts",
    "corpus",
    "node_modules",
    "target",
    "venv",
    "coverage",
];

/// What people write by hand; lock files and data are left out.
const KINDS: [&str; 9] = ["bash", "md", "mjs", "py", "rs", "sh", "toml", "yaml", "yml"];

/// All files that people write, and the scripts, which have no extension.
fn files() -> io::Result<Vec<File>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if is_written(root, &path) {
                let text = fs::read_to_string(&path)?;
                found.push(File {
                    path: relative(root, &path),
                    text,
                });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn is_written(root: &Path, path: &Path) -> bool {
    match path.extension() {
        Some(extension) => KINDS.iter().any(|kind| *kind == extension),
        None => path.parent() == Some(&root.join("scripts")) || path.parent() == Some(&root.join(".ci")),
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    path.to_string_lossy().replace('\\', "/")
}

/// Applies a rule to every file and fails with all breaches at once.
#[cfg(test)]
pub(crate) fn check(rule: impl Fn(&File) -> Vec<String>) {
    let breaches: Vec<String> = files()
        .expect("the sources are readable")
        .iter()
        .flat_map(rule)
        .collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn the_walk_finds_sources_scripts_and_manifests_and_no_build_output() {
        let paths: Vec<String> = files()
            .expect("the sources are readable")
            .into_iter()
            .map(|file| file.path)
            .collect();
        for expected in [
            "Cargo.toml",
            "codec/Cargo.toml",
            "src/main.rs",
            "scripts/test",
            "tests/tidy/main.rs",
        ] {
            assert!(paths.iter().any(|path| path == expected), "{expected} was not found");
        }
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }
}
