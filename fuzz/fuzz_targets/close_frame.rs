#![no_main]
//! Fuzzes [`sockless_fuzz::close_frame`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::close_frame::run(data));
