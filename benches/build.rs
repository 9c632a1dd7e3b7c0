//! Passes the compiler, the target and its features to the program, for the report.

use std::env::var;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = var("RUSTC").expect("cargo sets it");
    let output = Command::new(rustc).arg("--version").output();
    let version = String::from_utf8(output.expect("rustc runs").stdout).expect("text");
    println!("cargo::rustc-env=BUILT_BY={}", version.trim());
    println!(
        "cargo::rustc-env=BUILT_FOR={}",
        var("TARGET").expect("cargo sets it")
    );
    println!(
        "cargo::rustc-env=BUILT_WITH={}",
        var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default()
    );
}
