//! Programs that write in every way, killed with SIGKILL, and what a power cut leaves of their files.

mod content;
mod engine;
mod limits;
mod names;
mod programs;
mod random;
mod stage;
mod steps;
