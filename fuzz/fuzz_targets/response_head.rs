#![no_main]
//! Fuzzes [`sockless_fuzz::response_head`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::response_head::run(data));
