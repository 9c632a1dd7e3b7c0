#![no_main]
//! Fuzzes [`sockless_fuzz::negotiation`].

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockless_fuzz::negotiation::run(data));
