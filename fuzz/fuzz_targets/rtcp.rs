#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| jmeet::engine::fuzz::rtcp(data));
