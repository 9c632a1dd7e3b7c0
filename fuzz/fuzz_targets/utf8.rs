#![no_main]
//! Fuzzes [`sockless_fuzz::utf8`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::utf8::run(data));
