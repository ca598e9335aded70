#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| jmeet::testkit::fuzz::formats(data));
