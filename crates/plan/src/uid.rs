//! The id that Flink gives to an operator with a uid, under which a savepoint keeps its state.

/// `StreamGraphHasherV2.generateUserSpecifiedHash`: Guava's `murmur3_128` of the uid, seed 0, in hex.
pub fn operator_id(uid: &str) -> String {
    let (h1, h2) = murmur3_128(uid.as_bytes());
    h1.to_le_bytes().iter().chain(&h2.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// MurmurHash3_x64_128 with seed 0.
fn murmur3_128(bytes: &[u8]) -> (u64, u64) {
    let (mut h1, mut h2) = (0u64, 0u64);
    let blocks = bytes.chunks_exact(16);
    let tail = blocks.remainder();
    for block in blocks {
        let (k1, k2) = words(block);
        h1 = (h1 ^ mix1(k1)).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mix2(k2)).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (k1, k2) = words(tail);
    // Zeros mix to zero: a tail of at most eight bytes leaves `h2` as it is.
    h1 ^= mix1(k1);
    h2 ^= mix2(k2);
    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

/// Up to 16 bytes, little-endian, filled up with zeros.
fn words(bytes: &[u8]) -> (u64, u64) {
    let word = |from: usize| {
        let bytes = bytes.iter().skip(from).take(8).rev();
        bytes.fold(0u64, |word, byte| word << 8 | u64::from(*byte))
    };
    (word(0), word(8))
}

fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_those_of_flink() {
        for (uid, id) in [
            ("", "00000000000000000000000000000000"),
            ("count", "b71731f1c0df9c3076c4a455334d0ad6"),
            ("process_2", "93ecc32fd8e9135dce239de3e0c54181"),
            ("sessions-v2", "b263c91984ee59a306727db7865b6bdd"),
            ("exactly-16-bytes", "ab167aa51acea90f1d89af28029d8076"),
            ("hello", "029bbd41b3a7d8cb191dae486a901e5b"),
            ("a uid that is longer than two blocks: Ärger", "efd49a8cae51800c1af937c4a46c3068"),
        ] {
            assert_eq!(super::operator_id(uid), id, "{uid}");
        }
    }
}
