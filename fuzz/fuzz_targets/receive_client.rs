#![no_main]
//! Fuzzes [`sockless_fuzz::receive_client`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::receive_client::run(data));
