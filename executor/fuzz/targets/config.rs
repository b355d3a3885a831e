//! The config, the only object in clear.
#![no_main]

use holdfast_executor::config::Config;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Config::parse("config", bytes);
});
