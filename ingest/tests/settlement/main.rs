//! Settlement over real tables: wherever it is cut and started anew, each usage
//! row counts once on both sides.

mod checkpoint;
mod cuts;
mod folded;
mod other_log;
mod refused;
