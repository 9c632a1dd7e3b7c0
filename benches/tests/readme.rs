//! The table in the README of the crate repeats rows of `benches/results.md`.

use std::fs;
use std::path::Path;

#[test]
fn the_figures_in_the_readme_are_those_of_the_results() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let results = fs::read_to_string(root.join("benches/results.md")).unwrap();
    let (_, section) = readme.split_once("## How fast it is").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 10);
    for row in rows {
        assert!(
            results.lines().any(|line| line == row),
            "not in the results: {row}"
        );
    }
}
