#![no_main]
//! Fuzzes [`sockless_fuzz::two_peers`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::two_peers::run(data));
