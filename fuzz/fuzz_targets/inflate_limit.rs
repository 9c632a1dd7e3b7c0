#![no_main]
//! Fuzzes [`sockless_fuzz::inflate_limit`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::inflate_limit::run(data));
