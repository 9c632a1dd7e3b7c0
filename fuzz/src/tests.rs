//! The bodies as ordinary tests: on the stored seeds, and on what a simple mutator makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::TARGETS;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names in a folder, without the given ending.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(package().join(folder)).expect("a folder of the package");
    entries
        .map(|entry| {
            let name = entry.expect("readable").file_name();
            let name = name.to_str().expect("ASCII");
            name.strip_suffix(ending).unwrap_or(name).to_owned()
        })
        .collect()
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = package().join("seeds").join(target);
    let mut seeds: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .map(|path| (path.clone(), fs::read(path).expect("readable")))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

/// The seed with this name.
pub(crate) fn seed(target: &str, name: &str) -> Vec<u8> {
    let path = package().join("seeds").join(target).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_target_has_a_program_seeds_and_a_dictionary() {
    let listed: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets", ".rs"), listed);
    assert_eq!(names("seeds", ""), listed);
    assert_eq!(names("dictionaries", ".dict"), listed);
    let manifest = fs::read_to_string(package().join("Cargo.toml")).expect("readable");
    for (name, _) in TARGETS {
        let program = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&program), "{name} is not built");
        let source = fs::read_to_string(package().join(format!("fuzz_targets/{name}.rs")));
        let call = format!("sockless_fuzz::{name}::run(data)");
        assert!(
            source.expect("readable").contains(&call),
            "{name} runs another body"
        );
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

/// One change of the kind a fuzzer makes.
fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let byte = random.below(256) as u8;
    match random.below(5) {
        0 => input.insert(at, byte),
        1 => input.truncate(at),
        2 => {
            let again = input[at..].iter().take(40).copied().collect::<Vec<u8>>();
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

/// Xorshift: the same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
