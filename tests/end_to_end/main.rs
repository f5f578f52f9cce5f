//! The real binary, from outside: what a user does, what goes wrong, and what
//! must hold afterwards.

mod alerts;
mod audit_views;
mod bad_debt;
mod bad_input;
mod bench;
mod charge_models;
mod commitments;
mod corrections;
mod crash;
mod currencies;
mod damage;
mod demo;
mod disputes;
mod examples;
mod exchanges;
mod focus;
mod foreign;
mod general_ledger;
mod grants;
mod harness;
mod importing;
mod invoicing;
mod manifest;
mod own_prices;
mod periods;
mod printing;
mod profiles;
mod proofs;
mod real_input;
mod receivables;
mod rows;
mod serving;
mod statements;
mod tampered;
mod what_if;
