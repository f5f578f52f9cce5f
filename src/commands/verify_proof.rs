//! `stempoint verify-proof`: a proof against a published head, with nothing
//! else at hand.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use stempoint_schemas::head::Published;
use stempoint_schemas::proof::Proof;

use super::{DIFFERENT, NOT_COMPARED};
use crate::cli::VerifyProofArgs;

/// The longest file that is read (bytes). A proof is a few thousand long, one
/// of a refused record twice as long as the record.
const BYTES_MAX: u64 = 256 << 20;

pub fn run(args: &VerifyProofArgs) -> Result<ExitCode> {
    let published = args.head.as_deref().map(heads).transpose()?;
    let name = args.file.display();
    let proof = match Proof::read(&read(&args.file)?) {
        Ok(proof) => proof,
        Err(error) => {
            println!("FAILED {name}: {error}");
            return Ok(ExitCode::from(DIFFERENT));
        }
    };
    print(&proof);
    let Some(published) = published else {
        println!(
            "NOT COMPARED: the proof holds in itself, which anyone can arrange; it proves something only if\n\
             {} is a head that was published. Run again with --head.",
            proof.head
        );
        return Ok(ExitCode::from(NOT_COMPARED));
    };
    if published.iter().any(|head| head.is(&proof.head)) {
        println!("ok     the row is in the books that {} stands for", proof.head);
        return Ok(ExitCode::SUCCESS);
    }
    println!("FAILED the proof leads to {}, which is not the published head", proof.head);
    match published.iter().find(|head| head.version == Some(proof.head.version)) {
        Some(other) => println!(
            "       ledger version {} was published with the hash {}: these are other books",
            proof.head.version,
            stempoint_schemas::hash::hex(&other.hash)
        ),
        None => println!("       ask for a proof at the version that was published: `stempoint prove … --version N`"),
    }
    Ok(ExitCode::from(DIFFERENT))
}

fn print(proof: &Proof) {
    println!("table  {}", proof.row.table());
    for (name, value) in proof.row.summary().0 {
        println!("       {name:<20} {value}");
    }
    println!(
        "leaf   number {} of {} in the tree that ledger version {} records",
        proof.leaf.index, proof.tree.size, proof.head.version
    );
}

/// One head, or those that stand in a file.
fn heads(text: &str) -> Result<Vec<Published>> {
    let wrong = match Published::parse(text) {
        Ok(head) => return Ok(vec![head]),
        Err(wrong) => wrong,
    };
    let file = Path::new(text);
    if !file.exists() {
        bail!("{wrong}, or a file that holds such heads");
    }
    let bytes = read(file)?;
    let listed = String::from_utf8_lossy(&bytes);
    if let Ok(head) = Published::parse(&listed) {
        return Ok(vec![head]);
    }
    let mut heads = Vec::new();
    for (number, line) in (1..).zip(listed.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        heads.push(Published::parse(line).with_context(|| format!("line {number} of {text}"))?);
    }
    if heads.is_empty() {
        bail!("{text} holds no head: it must have one in each line, as `stempoint head` prints it");
    }
    Ok(heads)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = || format!("failed to read {}", path.display());
    let mut bytes = Vec::new();
    File::open(path).with_context(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        bail!("{} is longer than {BYTES_MAX} bytes: it is neither a proof nor a list of heads", path.display());
    }
    Ok(bytes)
}
