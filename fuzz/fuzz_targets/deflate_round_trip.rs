#![no_main]
//! Fuzzes [`sockless_fuzz::deflate_round_trip`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::deflate_round_trip::run(data));
