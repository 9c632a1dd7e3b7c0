#![no_main]
//! Fuzzes [`sockless_fuzz::request_head`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::request_head::run(data));
