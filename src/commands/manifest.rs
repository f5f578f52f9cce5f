//! `stempoint manifest`: the signed list of all files of the tables.

use std::process::ExitCode;

use anyhow::Result;
use stempoint_store::ledger::Ledger;
use stempoint_store::manifest::{PublicKey, Verified, renew, verify};

use super::DIFFERENT;
use crate::cli::ManifestCommand;
use crate::context::Context;

/// Newer files that are named at most; there may be thousands.
const NEWER_MAX: usize = 5;

pub fn run(context: &Context, command: &ManifestCommand) -> Result<ExitCode> {
    match command {
        ManifestCommand::Write => write(context),
        ManifestCommand::Verify { key } => check(context, key.as_deref()),
    }
}

fn write(context: &Context) -> Result<ExitCode> {
    let folder = context.data.manifest();
    let renewed = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        anyhow::Ok(renew(&ledger, &folder).await?)
    })?;
    println!("signed {} files, {} of them hashed now", renewed.files, renewed.hashed);
    println!("head   {}", renewed.head);
    println!("key    {}", renewed.key);
    println!("in     {}", folder.display());
    renewed.problems.iter().for_each(|problem| println!("FAILED {problem}: it stays listed as it was signed before"));
    Ok(if renewed.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn check(context: &Context, key: Option<&str>) -> Result<ExitCode> {
    let key = key.map(PublicKey::parse).transpose()?;
    let (lake, folder) = (context.data.lake(), context.data.manifest());
    let found = context.runtime.block_on(verify(&lake, &folder, key.as_ref()))?;
    println!("head   {}", found.head);
    match key {
        Some(_) => println!("key    {}", found.key),
        None => println!("key    {}: compare it with the published one, or give that with --key", found.key),
    }
    print_newer(&found);
    if found.removed > 0 {
        println!("       {} files were removed since: no table needs them any more", found.removed);
    }
    if found.problems.is_empty() {
        println!("ok     {} files, {} bytes: all are as they were signed", found.files, found.bytes);
        return Ok(ExitCode::SUCCESS);
    }
    found.problems.iter().for_each(|problem| println!("FAILED {problem}"));
    println!(
        "{} problems in {} files: restore them from a backup, or `stempoint rebuild`",
        found.problems.len(),
        found.files
    );
    Ok(ExitCode::from(DIFFERENT))
}

fn print_newer(found: &Verified) {
    for path in found.newer.iter().take(NEWER_MAX) {
        println!("       newer than the manifest: {path}");
    }
    if let Some(more) = found.newer.len().checked_sub(NEWER_MAX).filter(|more| *more > 0) {
        println!("       newer than the manifest: {more} more");
    }
}
