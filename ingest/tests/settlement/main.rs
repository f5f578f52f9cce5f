//! Settlement over real tables: wherever it is cut, each usage row counts
//! once on both sides.

mod cuts;
