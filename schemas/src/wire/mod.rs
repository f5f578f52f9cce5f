//! The protobuf form of usage events, read and written by hand: a billion
//! events pass here, and owned structs per event would dominate the cost.
//!
//! Invariant: `decode(encode(event)) == event`, and `decode` tells whether
//! the bytes are exactly what `encode` writes ("canonical"); equal content
//! has equal canonical bytes, whatever order a producer chose.

mod decode;
mod encode;
mod reader;

pub use decode::{Decoded, decode};
pub use encode::{encode, encode_unusable};

/// Field numbers of `Event` (see `proto/event.proto`).
mod number {
    pub const ID: u32 = 1;
    pub const INCARNATION: u32 = 2;
    pub const SEQUENCE: u32 = 3;
    pub const TIME: u32 = 4;
    pub const API_CALL: u32 = 5;
    pub const GPU_USAGE: u32 = 6;
    pub const HEARTBEAT: u32 = 7;
    pub const UNUSABLE: u32 = 15;
}

#[cfg(test)]
mod tests;
