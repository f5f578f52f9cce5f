//! Ids in the form of a ULID: 48 bits of time and 80 random bits, 26
//! characters that sort by time.
//!
//! Invariant: two ids differ wherever their time or their random bits differ.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of an id.
pub const LENGTH: usize = 26;

/// The id of a time in microseconds since 1970 and random bits, of which 40
/// of each word are taken.
pub fn ulid(time_us: i64, random: [u64; 2]) -> [u8; LENGTH] {
    let mut id = [0; LENGTH];
    let (time, rest) = id.split_at_mut(10);
    let (first, second) = rest.split_at_mut(8);
    digits(time_us.max(0).unsigned_abs() / 1000, time);
    digits(random[0], first);
    digits(random[1], second);
    id
}

/// Writes the lowest bits of a number, five to a character.
fn digits(mut number: u64, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = ALPHABET[(number & 31) as usize];
        number >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_first_and_every_bit_counts() {
        assert_eq!(&ulid(0, [0, 0]), b"00000000000000000000000000");
        assert_eq!(&ulid(1_469_918_176_385_000, [0, 1])[..10], b"01ARYZ6S41", "the example of the ULID specification");
        assert_eq!(&ulid(31_000, [1, 31]), b"000000000Z000000010000000Z");
        assert_ne!(ulid(0, [1 << 39, 0]), ulid(0, [0, 1 << 39]));
        assert!(ulid(1000, [0, 0]) > ulid(999, [u64::MAX, u64::MAX]));
    }
}
