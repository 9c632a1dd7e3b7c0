//! The figures in the README of the crate are those of the guide's page on speed.

const README: &str = include_str!("../../README.md");
const PAGE: &str = include_str!("../../src/guide/speed.md");

/// The cells of each row of a table, for all tables of a text.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.trim_end_matches(" |").split(" | ").collect())
}

#[test]
fn the_figures_in_the_readme_are_those_of_the_page_on_speed() {
    let (_, section) = README.split_once("\n## Speed\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let figures: Vec<_> = rows(section).skip(1).collect();
    assert!(figures.len() >= 5);
    for row in figures {
        let [title, sockless, peer, ratio] = row[..] else {
            panic!("{row:?}");
        };
        let (time, name) = peer.trim_end_matches(')').split_once(" (").unwrap();
        let same = |other: &[&str]| {
            other.len() == 8
                && other[..3] == [title, sockless, time]
                && other[3].split(' ').next() == Some(name)
                && other[4] == ratio
        };
        assert!(
            rows(PAGE).any(|other| same(&other)),
            "not on the page: {row:?}"
        );
    }
}
