//! Compiles the preloaded library with the system's C compiler (`$CC`, else `cc`).
//!
//! Where that fails the crate still builds: `PowerCut::new` then says why, and
//! the tests leave themselves out by name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const FLAGS: [&str; 8] =
    ["-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-fvisibility=hidden", "-pthread"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-env-changed=CC");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    match compile(Path::new("shim"), &out.join("power_cut.so")) {
        Ok(library) => println!("cargo::rustc-env=POWER_CUT_LIBRARY={}", library.display()),
        Err(reason) => {
            println!("cargo::rustc-env=POWER_CUT_MISSING={}", reason.to_string().replace('\n', " "));
            // A path that never exists: the next build tries again.
            println!("cargo::rerun-if-changed={}", out.join("missing").display());
        }
    }
    Ok(())
}

fn compile(folder: &Path, library: &Path) -> io::Result<PathBuf> {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return Err(io::Error::other("it works on Linux only"));
    }
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .args(FLAGS)
        .args(&sources)
        .arg("-o")
        .arg(library)
        .output()
        .map_err(|error| io::Error::other(format!("the C compiler {compiler} did not start: {error}")))?;
    if output.status.success() {
        return Ok(library.to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("the C compiler {compiler} failed: {complaint}")))
}
