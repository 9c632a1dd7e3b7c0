#![no_main]
//! Fuzzes [`sockless_fuzz::mask`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::mask::run(data));
