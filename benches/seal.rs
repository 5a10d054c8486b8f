//! Why bulk data is sealed by `crypto::Bulk`: 64 KiB chunks by it and by `crypto::seal`, which keeps small
//! secrets, and SHA-256 beside them, which every upload pays too. `cargo bench --bench seal`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use acrite::domain::world::crypto::Bulk;
use acrite::domain::world::crypto::Hasher;
use acrite::domain::world::crypto::NONCE;
use acrite::domain::world::crypto::seal;

const CHUNK: usize = 64 * 1024;
const ROUNDS: u32 = 4096;

/// GB/s of something done to a chunk, the best of three runs.
fn rate(mut work: impl FnMut()) -> f64 {
    let run = |work: &mut dyn FnMut()| {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        f64::from(ROUNDS) * CHUNK as f64 / 1e9 / begun.elapsed().as_secs_f64()
    };
    (0..3).map(|_| run(&mut work)).fold(0.0, f64::max)
}

fn main() {
    let chunk = vec![7u8; CHUNK];
    let bulk = Bulk::derive(&[1; 32], b"salt", &[b"speed"]).unwrap();
    let mut out = Vec::with_capacity(CHUNK + 64);
    let sealed = rate(|| {
        out.clear();
        bulk.seal_onto([0; NONCE], b"", &chunk, &mut out).unwrap();
    });
    let small = rate(|| {
        black_box(seal(&[1; 32], b"", &chunk, &mut rand::rng()).unwrap());
    });
    let mut hasher = Hasher::sha256();
    let hashed = rate(|| hasher.update(&chunk));
    println!("Bulk (aws-lc-rs):   {sealed:.1} GB/s");
    println!("seal (aes-gcm):     {small:.1} GB/s");
    println!("SHA-256:            {hashed:.1} GB/s");
    println!("ratio Bulk / seal:  {:.1}", sealed / small);
}
