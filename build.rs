//! Link arguments of the shared library. No network, no generated code.

/// The ABI generation: part of the file name that programs are linked to (design §5.9).
const SONAME: &str = "libjmeet.so.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
            // Threads and the fork handler outlive a dlclose: the code has to stay mapped.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" | "ios" => println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libjmeet.0.dylib"),
        _ => {}
    }
}
