//! Compiles the contract in `proto/` to Rust and to the descriptor set, with no protoc.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let includes = [root.join("proto"), root.join("third_party/googleapis")];
    for include in &includes {
        println!("cargo::rerun-if-changed={}", include.display());
    }

    let mut files = Vec::new();
    protos_under(&includes[0], &mut files)?;
    // The edge needs these to print error details as JSON, though no service names them.
    files.push(includes[1].join("google/rpc/error_details.proto"));
    files.push(includes[1].join("google/rpc/status.proto"));
    files.sort();

    let mut compiler = protox::Compiler::new(&includes)?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded here, before prost-types sees it: prost-types would drop the options (HTTP rules, access).
    fs::write(out.join("descriptor_set.binpb"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .include_file("contract.rs")
        .disable_comments(["."])
        // Without `connect` in the clients the contract does not depend on HTTP; mesh makes the channels.
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn protos_under(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            protos_under(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
