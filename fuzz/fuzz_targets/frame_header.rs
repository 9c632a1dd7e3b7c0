#![no_main]
//! Fuzzes [`sockless_fuzz::frame_header`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::frame_header::run(data));
