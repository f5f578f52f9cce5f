//! One command per file.

mod accounts;
mod alerts;
mod audit;
mod bench;
mod budget;
mod commitment;
mod correction;
mod currency;
mod demo;
mod dispute;
mod document_files;
mod documents;
mod exchange;
mod focus;
mod general_ledger;
mod grant;
mod head;
mod import;
mod invoices;
mod maintain;
mod manifest;
mod parts;
mod payment;
mod period;
mod prices;
mod profile;
mod prove;
mod rate;
mod rebuild;
mod rejects;
mod sql;
mod statements;
mod terms;
mod up;
mod verify;
mod verify_proof;
mod views;
mod waive;
mod whole_file;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Command;
use crate::context::Context;

/// An audit or a comparison found differences.
const DIFFERENT: u8 = 3;
/// A proof holds in itself, but there was no head to compare it with.
const NOT_COMPARED: u8 = 4;

/// The name of a command's data folder where none is given: made-up months
/// do not belong among real books.
pub fn default_folder(command: &Command) -> &'static str {
    match command {
        Command::Demo(_) => "stempoint-demo",
        _ => "stempoint",
    }
}

/// Runs a command.
pub fn run(context: &Context, command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(context, &args)?,
        Command::Up(args) => up::run(context, &args)?,
        Command::Ingest(args) => parts::ingest(context, &args)?,
        Command::Settle(args) => parts::settle(context, &args)?,
        Command::Import(args) => import::run(context, &args)?,
        Command::Sql(args) => sql::run(context, &args)?,
        Command::Views(args) => views::run(&args)?,
        Command::Prices(command) => prices::run(context, &command)?,
        Command::Rate(args) => rate::run(context, &args)?,
        Command::Profile(command) => profile::run(context, &command)?,
        Command::Period(command) => period::run(context, &command)?,
        Command::Waive(args) => waive::run(context, &args)?,
        Command::Void(args) => correction::void(context, &args)?,
        Command::Amend(args) => correction::amend(context, &args)?,
        Command::Invoice(args) => return documents::invoice_or_verify(context, &args),
        Command::Invoices(args) => invoices::run(context, &args)?,
        Command::Terms(command) => terms::run(context, &command)?,
        Command::Currency(command) => currency::run(context, &command)?,
        Command::Grant(command) => grant::run(context, &command)?,
        Command::Commitment(command) => commitment::run(context, &command)?,
        Command::Budget(command) => budget::run(context, &command)?,
        Command::Alerts(command) => alerts::run(context, &command)?,
        Command::Payment(command) => payment::run(context, &command)?,
        Command::Credit(args) => payment::credit(context, &args)?,
        Command::WriteOff(args) => payment::write_off(context, &args)?,
        Command::Dispute(command) => dispute::run(context, &command)?,
        Command::Exchange(command) => exchange::run(context, &command)?,
        Command::Accounts(args) => accounts::accounts(context, &args)?,
        Command::Balance(args) => accounts::balance(context, &args)?,
        Command::Earnings(args) => documents::earnings(context, &args)?,
        Command::Statements(args) => statements::run(context, &args)?,
        Command::TrialBalance(args) => documents::trial_balance(context, &args)?,
        Command::GeneralLedger(args) => general_ledger::run(context, &args)?,
        Command::Focus(command) => focus::run(context, &command)?,
        Command::Rejects(command) => rejects::run(context, &command)?,
        Command::Audit => return audit::run(context),
        Command::Head(args) => head::run(context, &args)?,
        Command::Prove(args) => prove::run(context, &args)?,
        Command::VerifyProof(args) => return verify_proof::run(&args),
        Command::Manifest(command) => return manifest::run(context, &command),
        Command::Rebuild(args) => return rebuild::run(context, &args),
        Command::Maintain => maintain::run(context)?,
        Command::Bench(command) => bench::run(context, &command)?,
    }
    Ok(ExitCode::SUCCESS)
}
