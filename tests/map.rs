//! The tests that `tests/README.md` names exist, so that its tables cannot go stale.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const README: &str = "tests/README.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks and names a test: `file.rs::name`.
fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let code = text.split('`').skip(1).step_by(2);
    code.filter_map(|code| code.split_once("::"))
        .filter(|(file, _)| is_rust(Path::new(file)))
        .collect()
}

/// The names of all tests in a source file.
fn tests_in(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            if is_test {
                names.push(rest.split('(').next().unwrap());
            }
            is_test = false;
        }
    }
    names
}

/// The Rust files of a folder of this package, without those further down.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
    paths.filter(|path| is_rust(path)).collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

#[test]
fn every_named_test_exists_once() {
    let readme = read(README);
    let named = named_tests(&readme);
    assert!(named.len() > 150, "{} tests found", named.len());
    let files: BTreeSet<&str> = named.iter().map(|(file, _)| *file).collect();
    let sources: BTreeMap<&str, String> =
        files.into_iter().map(|file| (file, read(file))).collect();
    for (file, name) in named {
        let found = tests_in(&sources[file]);
        let count = found.iter().filter(|found| **found == name).count();
        assert_eq!(count, 1, "{file} has no test {name}");
    }
}

/// Each row of a table says which test, or which suite, holds it.
#[test]
fn every_row_names_a_test() {
    let readme = read(README);
    let rows = readme.lines().filter(|line| line.starts_with("| "));
    let (mut incidents, mut rules) = (0, 0);
    let mut table = "";
    for row in rows {
        let first = row.split('|').nth(1).unwrap().trim();
        if ["suite", "incident", "rule"].contains(&first) {
            table = first;
            continue;
        }
        match table {
            "suite" => continue,
            "incident" => incidents += 1,
            _ => rules += 1,
        }
        assert!(!named_tests(row).is_empty(), "{row}");
    }
    assert!(incidents >= 14 && rules >= 90, "{incidents}, {rules}");
}

#[test]
fn every_suite_and_every_hostile_test_is_named() {
    let readme = read(README);
    for suite in rust_files("tests") {
        let code = format!("`{}`", suite.display());
        assert!(readme.contains(&code), "{code}");
    }
    let named: BTreeSet<(&str, &str)> = named_tests(&readme).into_iter().collect();
    let files = rust_files("tests/hostile");
    assert!(!files.is_empty());
    for file in files {
        let (path, source) = (file.display().to_string(), read(&file));
        for name in tests_in(&source) {
            assert!(named.contains(&(&path, name)), "{path}::{name}");
        }
    }
}
