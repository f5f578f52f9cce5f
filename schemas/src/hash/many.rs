//! BLAKE3 of many short messages at once: eight side by side, each in a lane of
//! the processor's vectors. The library hashes one message at a time unless it
//! is longer than ours are, and then leaves most of the vectors empty.
//!
//! Invariant: each hash is the one that the library gives for the message by
//! itself. The constants and the compression function are those of BLAKE3's
//! specification (sections 2.1 to 2.4); a message of up to 1,024 bytes is one
//! chunk, and its last block gives the hash.

use multiversion::multiversion;

use super::Hash;

/// How many messages are hashed side by side.
const LANES: usize = 8;
/// Bytes of a block.
const BLOCK: usize = 64;
/// The most blocks of a chunk.
const BLOCKS_MAX: usize = 16;
const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const ROOT: u32 = 8;
const KEYED_HASH: u32 = 16;
/// The key of a hash without a key.
const IV: [u32; 8] =
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19];
/// How the words of a block are permuted after each round.
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
/// Which word of the block each step of each round takes.
const ORDER: [[usize; 16]; 7] = order();

/// One word of all lanes.
type Word = [u32; LANES];

const fn order() -> [[usize; 16]; 7] {
    let mut order = [[0; 16]; 7];
    let mut at = 0;
    while at < 7 * 16 {
        let (round, word) = (at / 16, at % 16);
        order[round][word] = if round == 0 { word } else { order[round - 1][PERMUTATION[word]] };
        at += 1;
    }
    order
}

/// Appends the hashes of messages, in their order.
pub(super) fn hashes(messages: &[&[u8]], to: &mut Vec<Hash>) {
    let before = to.len();
    to.resize(before + messages.len(), [0; 32]);
    let hashes = &mut to[before..];
    // Messages of as many blocks wait until they fill the lanes.
    let mut waiting = [(0, [0; LANES]); BLOCKS_MAX + 1];
    for (index, message) in messages.iter().enumerate() {
        let blocks = message.len().div_ceil(BLOCK).max(1);
        let Some((count, indices)) = waiting.get_mut(blocks) else {
            hashes[index] = *blake3::hash(message).as_bytes();
            continue;
        };
        indices[*count] = index;
        *count += 1;
        if *count == LANES {
            *count = 0;
            let found = hash_lanes(&IV, 0, indices.map(|index| messages[index]), blocks);
            indices.iter().zip(found).for_each(|(index, hash)| hashes[*index] = hash);
        }
    }
    for (count, indices) in waiting {
        for &index in &indices[..count] {
            hashes[index] = *blake3::hash(messages[index]).as_bytes();
        }
    }
}

/// The nodes above pairs of others, in their order.
pub(super) fn nodes(pairs: &[[Hash; 2]], key: &Hash) -> Vec<Hash> {
    let mut words = [0; 8];
    key.as_chunks::<4>().0.iter().zip(&mut words).for_each(|(bytes, word)| *word = u32::from_le_bytes(*bytes));
    let mut nodes = Vec::with_capacity(pairs.len());
    let (groups, rest) = pairs.as_chunks::<LANES>();
    for group in groups {
        let messages = group.each_ref().map(|pair| pair.as_flattened());
        nodes.extend_from_slice(&hash_lanes(&words, KEYED_HASH, messages, 1));
    }
    nodes.extend(rest.iter().map(|pair| *blake3::keyed_hash(key, pair.as_flattened()).as_bytes()));
    nodes
}

/// Hashes messages that have as many blocks each. The loop over the lanes in
/// [`compress`] becomes vector instructions of whatever the processor has.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn hash_lanes(key: &[u32; 8], flags: u32, messages: [&[u8]; LANES], blocks: usize) -> [Hash; LANES] {
    let mut chaining = key.map(|word| [word; LANES]);
    for block in 0..blocks {
        let mut flags = flags;
        if block == 0 {
            flags |= CHUNK_START;
        }
        if block + 1 == blocks {
            flags |= CHUNK_END | ROOT;
        }
        let (mut padded, mut lengths) = ([[0; BLOCK]; LANES], [0; LANES]);
        for lane in 0..LANES {
            let rest = messages[lane].get(block * BLOCK..).unwrap_or_default();
            match rest.first_chunk() {
                Some(whole) => padded[lane] = *whole,
                None => padded[lane][..rest.len()].copy_from_slice(rest),
            }
            lengths[lane] = rest.len().min(BLOCK) as u32;
        }
        compress(&mut chaining, &transposed(&padded), &lengths, flags);
    }
    let mut hashes = [[0; 32]; LANES];
    for lane in 0..LANES {
        let (words, _) = hashes[lane].as_chunks_mut::<4>();
        words.iter_mut().zip(&chaining).for_each(|(bytes, word)| *bytes = word[lane].to_le_bytes());
    }
    hashes
}

/// The words of all blocks, side by side. Two words of two lanes are turned at
/// once, which is faster than one by one.
#[inline(always)]
fn transposed(blocks: &[[u8; BLOCK]; LANES]) -> [Word; 16] {
    const LOW: u64 = 0xffff_ffff;
    let mut words = [[0; LANES]; 16];
    for lane in (0..LANES).step_by(2) {
        let (left, _) = blocks[lane].as_chunks::<8>();
        let (right, _) = blocks[lane + 1].as_chunks::<8>();
        for two in 0..8 {
            let (left, right) = (u64::from_le_bytes(left[two]), u64::from_le_bytes(right[two]));
            for (word, both) in [(2 * two, left & LOW | right << 32), (2 * two + 1, left >> 32 | right & !LOW)] {
                words[word][lane] = both as u32;
                words[word][lane + 1] = (both >> 32) as u32;
            }
        }
    }
    words
}

#[inline(always)]
fn compress(chaining: &mut [Word; 8], block: &[Word; 16], lengths: &Word, flags: u32) {
    for lane in 0..LANES {
        let mut state = [0; 16];
        for word in 0..8 {
            state[word] = chaining[word][lane];
        }
        state[8..12].copy_from_slice(&IV[..4]);
        // Words 12 and 13 count chunks: ours is the first.
        state[14] = lengths[lane];
        state[15] = flags;
        let mut words = [0; 16];
        for word in 0..16 {
            words[word] = block[word][lane];
        }
        // Written out, because the compiler does not turn a loop around them into vectors.
        round(&mut state, &words, &ORDER[0]);
        round(&mut state, &words, &ORDER[1]);
        round(&mut state, &words, &ORDER[2]);
        round(&mut state, &words, &ORDER[3]);
        round(&mut state, &words, &ORDER[4]);
        round(&mut state, &words, &ORDER[5]);
        round(&mut state, &words, &ORDER[6]);
        for word in 0..8 {
            chaining[word][lane] = state[word] ^ state[word + 8];
        }
    }
}

#[inline(always)]
fn round(state: &mut [u32; 16], words: &[u32; 16], order: &[usize; 16]) {
    mix(state, [0, 4, 8, 12], words[order[0]], words[order[1]]);
    mix(state, [1, 5, 9, 13], words[order[2]], words[order[3]]);
    mix(state, [2, 6, 10, 14], words[order[4]], words[order[5]]);
    mix(state, [3, 7, 11, 15], words[order[6]], words[order[7]]);
    mix(state, [0, 5, 10, 15], words[order[8]], words[order[9]]);
    mix(state, [1, 6, 11, 12], words[order[10]], words[order[11]]);
    mix(state, [2, 7, 8, 13], words[order[12]], words[order[13]]);
    mix(state, [3, 4, 9, 14], words[order[14]], words[order[15]]);
}

#[inline(always)]
fn mix(state: &mut [u32; 16], [a, b, c, d]: [usize; 4], first: u32, second: u32) {
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(first);
    state[d] = (state[d] ^ state[a]).rotate_right(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(12);
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(second);
    state[d] = (state[d] ^ state[a]).rotate_right(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(7);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_hash_is_the_one_that_the_library_gives(
            lengths in prop::collection::vec(prop_oneof![4 => 0usize..200, 1 => 900usize..1200], 0..70),
            seed in any::<u64>(),
        ) {
            let bytes: Vec<u8> = blake3_stream(seed, 1200 + lengths.len());
            let messages: Vec<&[u8]> = lengths.iter().enumerate().map(|(at, length)| &bytes[at..at + length]).collect();
            let expected: Vec<Hash> = messages.iter().map(|message| *blake3::hash(message).as_bytes()).collect();
            prop_assert_eq!(hashes_of(&messages), expected);
        }

        #[test]
        fn each_node_is_the_one_that_the_library_gives(count in 0usize..40, seed in any::<u64>()) {
            let bytes = blake3_stream(seed, 64 * count + 32);
            let (key, rest) = bytes.split_first_chunk::<32>().unwrap();
            let pairs = rest.as_chunks::<32>().0.as_chunks::<2>().0;
            let expected: Vec<Hash> =
                pairs.iter().map(|pair| *blake3::keyed_hash(key, pair.as_flattened()).as_bytes()).collect();
            prop_assert_eq!(nodes(pairs, key), expected);
        }
    }

    fn hashes_of(messages: &[&[u8]]) -> Vec<Hash> {
        let mut found = vec![[9; 32]];
        hashes(messages, &mut found);
        assert_eq!(found.remove(0), [9; 32], "what was there stays");
        found
    }

    fn blake3_stream(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// All lengths around the borders of blocks and of a chunk, in full lanes.
    #[test]
    fn every_length_up_to_a_chunk_and_a_block_beyond_is_right() {
        let bytes = blake3_stream(1, 1100);
        for length in 0..=1088 {
            let messages = [&bytes[..length]; LANES];
            assert_eq!(hashes_of(&messages), [*blake3::hash(&bytes[..length]).as_bytes(); LANES], "{length}");
        }
    }
}
