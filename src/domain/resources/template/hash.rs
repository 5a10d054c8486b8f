//! The hash behind `uniqueString` and `templateHash`.

/// The service's own 64-bit variant of Murmur hash; checked against published values of `uniqueString`.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    const A: u32 = 0x239b_961b;
    const B: u32 = 0xab0e_9789;
    let word = |part: &[u8]| part.iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte));
    let first = |k: u32| k.wrapping_mul(A).rotate_left(15).wrapping_mul(B);
    let second = |k: u32| k.wrapping_mul(B).rotate_left(17).wrapping_mul(A);
    let (mut h1, mut h2) = (0u32, 0u32);
    let blocks = bytes.chunks_exact(8);
    let tail = blocks.remainder();
    for block in blocks {
        h1 = (h1 ^ first(word(&block[..4]))).rotate_left(19).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x561c_cd1b);
        h2 = (h2 ^ second(word(&block[4..]))).rotate_left(13).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x0bca_a747);
    }
    let (low, high) = tail.split_at(tail.len().min(4));
    h1 ^= first(word(low));
    h2 ^= second(word(high));
    #[allow(clippy::cast_possible_truncation)]
    let length = bytes.len() as u32;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    let mix = |mut h: u32| {
        h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
        h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
        h ^ h >> 16
    };
    h1 = mix(h1);
    h2 = mix(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    u64::from(h2) << 32 | u64::from(h1)
}

/// The hash as thirteen letters and digits.
pub(super) fn unique(text: &str) -> String {
    let hash = hash(text.as_bytes());
    (0..13)
        .map(|at| {
            let five = (hash << (at * 5)) >> 59;
            char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::try_from(five).unwrap_or(0)])
        })
        .collect()
}
