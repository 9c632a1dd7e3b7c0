//! The bodies as ordinary tests, on the stored seeds and on simple changes of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::TARGETS;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names in a folder without their common ending, sorted.
fn names(folder: &str, ending: &str) -> Vec<String> {
    let path = package().join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.into_string().expect("UTF-8").replace(ending, ""))
        .collect();
    names.sort();
    names
}

/// The path and the content of every seed of a target.
pub(crate) fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = format!("seeds/{target}");
    let seeds = names(&folder, "").into_iter().map(|name| {
        let path = package().join(&folder).join(name);
        (path.clone(), fs::read(path).expect("readable"))
    });
    seeds.collect()
}

/// Checks what each seed of a target does. The table has a line `NAME: OUTCOME` for each seed whose name ends so.
///
/// # Panics
///
/// If a seed does something else, has no line, or is missing.
pub(crate) fn assert_seeds(
    target: &str,
    ending: &str,
    outcome: impl Fn(&[u8]) -> String,
    table: &str,
) {
    let mut lines = Vec::new();
    for (path, seed) in seeds(target) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(ending) {
            lines.push(format!("{name}: {}", outcome(&seed)));
        }
    }
    let expected = table.lines().map(str::trim).filter(|it| !it.is_empty());
    assert!(
        expected.eq(&lines),
        "the seeds of {target} do this:\n{}",
        lines.join("\n")
    );
}

#[test]
fn each_target_has_a_program_seeds_and_a_dictionary() {
    let listed: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("fuzz_targets", ".rs"), listed);
    assert_eq!(names("seeds", ""), listed);
    assert_eq!(names("dictionaries", ".dict"), listed);
    let read = |path: &str| fs::read_to_string(package().join(path)).expect("readable");
    for (name, _) in TARGETS {
        assert!(!seeds(name).is_empty(), "{name} has no seeds");
        let path = format!("fuzz_targets/{name}.rs");
        let program = format!("{{ name = \"{name}\", path = \"{path}\"");
        assert!(read("Cargo.toml").contains(&program), "{name} is not built");
        let call = format!("sockless_fuzz::{name}::run(data)");
        assert!(read(&path).contains(&call), "{name} runs another body");
    }
}

#[test]
fn every_body_passes_on_its_seeds() {
    for (name, body) in TARGETS {
        for (path, seed) in seeds(name) {
            println!("{}", path.display());
            body(&seed);
        }
    }
}

#[test]
fn every_body_passes_near_its_seeds() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, body) in TARGETS {
        let seeds = seeds(name);
        for round in 0..2000 {
            let (path, seed) = &seeds[round % seeds.len()];
            let mut input = seed.clone();
            for _ in 0..=random.below(4) {
                mutate(&mut input, &mut random);
            }
            println!("{} changed to {input:02x?}", path.display());
            body(&input);
        }
    }
}

/// Makes one change as a fuzzer does.
fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let byte = random.below(256) as u8;
    match random.below(5) {
        0 => input.insert(at, byte),
        1 => input.truncate(at),
        2 => {
            let again: Vec<u8> = input[at..].iter().take(40).copied().collect();
            input.splice(at..at, again);
        }
        _ if at < input.len() => match random.below(3) {
            0 => input[at] = byte,
            1 => input[at] ^= 1 << (byte % 8),
            _ => drop(input.remove(at)),
        },
        _ => input.push(byte),
    }
}

/// The xorshift generator, with the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
