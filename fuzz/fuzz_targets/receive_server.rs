#![no_main]
//! Fuzzes [`sockless_fuzz::receive_server`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::receive_server::run(data));
