//! Which library this is, and its clock.

use super::entry::entry;
use std::ffi::c_char;

/// Version of this header.
pub const JMEET_VERSION_MAJOR: u32 = 0;
/// Version of this header.
pub const JMEET_VERSION_MINOR: u32 = 1;
/// Version of this header.
pub const JMEET_VERSION_PATCH: u32 = 0;
/// ABI of this header. A library with another one cannot be used with it.
pub const JMEET_ABI_VERSION: u32 = 1;

/// Bit of `jmeet_features`: sending and reading media.
pub const JMEET_FEATURE_MEDIA: u32 = 1;

/// The library's version, such as "0.1.0". A constant: never NULL, never freed. Any thread, also before everything else.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_version() -> *const c_char {
    entry!(or c"".as_ptr(); {
        const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
        Ok(VERSION.as_ptr().cast())
    })
}

/// The library's ABI; compare it with `JMEET_ABI_VERSION`. 0 in a forked child.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_abi_version() -> u32 {
    entry!(or 0; { Ok(JMEET_ABI_VERSION) })
}

/// What the library was built with, as bits `JMEET_FEATURE_…`; bits that you do not know are newer features. 0 in a forked child. Any
/// thread, also before everything else.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_features() -> u32 {
    entry!(or 0; { Ok(if crate::client::HAS_MEDIA { JMEET_FEATURE_MEDIA } else { 0 }) })
}

/// The monotonic clock of every `_us` value of this library, in microseconds. It starts near zero at its first use in the process.
#[unsafe(no_mangle)]
pub extern "C" fn jmeet_now_us() -> u64 {
    entry!(or 0; { Ok(crate::client::now_us()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_those_of_the_package() {
        let text = format!("{JMEET_VERSION_MAJOR}.{JMEET_VERSION_MINOR}.{JMEET_VERSION_PATCH}");
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
        // SAFETY: a constant string.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(jmeet_version()) }.to_str(), Ok(text.as_str()));
        assert_eq!(jmeet_abi_version(), JMEET_ABI_VERSION);
        assert_eq!(jmeet_features(), if cfg!(feature = "media") { JMEET_FEATURE_MEDIA } else { 0 });
        assert!(jmeet_now_us() > 0);
    }
}
