//! The real binary, from outside: what a user does, what goes wrong, and what
//! must hold afterwards.

mod bad_input;
mod crash;
mod damage;
mod demo;
mod examples;
mod harness;
mod importing;
mod invoicing;
mod manifest;
mod periods;
mod proofs;
mod real_input;
mod rows;
mod serving;
mod tampered;
