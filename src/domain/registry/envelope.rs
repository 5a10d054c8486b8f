//! The envelope around a registry's data: a random data encryption key (DEK) seals the data, a key
//! encryption key wraps the DEK. Only this file makes a [`Sealed`], and only from a [`Dek`].
//! Must not know: where the key encryption key lives or who may use it.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::domain::error::{Error, Result};
use crate::domain::world::crypto;

/// A registry's data encryption key: AES-256.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dek([u8; 32]);

impl std::fmt::Debug for Dek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dek(…)")
    }
}

/// Bytes that only a DEK can open again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The bytes, to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that were stored.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

// How a blob lies on disk: sealed in independent chunks, so that a range read opens only its own.
//
//     header: "ACRITEB1", 32 bytes of salt
//     chunk:  nonce (12), ciphertext (64 KiB; the last one shorter, maybe empty), tag (16)
//
// Each blob has a key of its own, HKDF-SHA256(DEK, salt, purpose and the blob's name). A chunk's index, whether it is
// the last, and the attempt that wrote it are bound into its tag: none can be moved, dropped, taken for the end, or put
// back once an upload that broke off has sealed the same index again with other bytes. Nonces are random and not
// counted, because that happens.

/// Bytes of plaintext in a chunk.
pub const CHUNK: usize = 64 * 1024;
/// Bytes that sealing adds to a chunk.
const OVERHEAD: usize = crypto::NONCE + crypto::TAG;
/// Bytes of a whole sealed chunk.
pub const SEALED_CHUNK: usize = CHUNK + OVERHEAD;
const MAGIC: &[u8; 8] = b"ACRITEB1";
const SALT: usize = 32;
/// Bytes of a blob's header.
pub const HEADER: usize = MAGIC.len() + SALT;

/// Where chunk `index` begins in its file.
#[must_use]
pub fn chunk_offset(index: u64) -> u64 {
    HEADER as u64 + index * SEALED_CHUNK as u64
}

/// Bytes of the file that holds a whole blob of `size` bytes: there is always a last chunk, maybe empty.
#[must_use]
pub fn sealed_size(size: u64) -> u64 {
    chunk_offset(size / CHUNK as u64) + size % CHUNK as u64 + OVERHEAD as u64
}

/// Bytes of an attempt's id.
const ATTEMPT: usize = 16;

/// The attempts that wrote a blob's file, each with the index of its first chunk. An attempt's id is random, and is
/// kept only once what it wrote was answered for: what an attempt wrote that broke off opens never again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts(Vec<(u64, [u8; ATTEMPT])>);

impl Attempts {
    /// Begins another attempt, whose first chunk is `first`. What stood there before is written anew.
    fn begin(&mut self, first: u64, rng: &mut impl CryptoRng) {
        let mut id = [0; ATTEMPT];
        rng.fill_bytes(&mut id);
        self.0.retain(|(begun, _)| *begun < first);
        self.0.push((first, id));
    }

    /// The attempt that wrote a chunk. None did where attempts were not noted yet.
    fn of(&self, index: u64) -> &[u8] {
        self.0.iter().rev().find(|(first, _)| *first <= index).map_or(&[], |(_, id)| id)
    }

    /// As stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(first, id)| first.to_be_bytes().into_iter().chain(*id)).collect()
    }

    /// From what was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (attempts, rest) = bytes.as_chunks::<{ 8 + ATTEMPT }>();
        let read = |attempt: &[u8; 8 + ATTEMPT]| {
            let (first, id) = attempt.split_first_chunk::<8>()?;
            Some((u64::from_be_bytes(*first), id.try_into().ok()?))
        };
        let attempts: Option<Vec<_>> = attempts.iter().map(read).collect();
        let attempts = attempts.filter(|a| rest.is_empty() && a.is_sorted_by(|one, next| one.0 < next.0));
        attempts.map(Self).ok_or_else(|| Error::Internal("the attempts of a blob are not readable".to_owned()))
    }
}

/// The key of one blob.
#[derive(Debug)]
pub struct BlobKey {
    key: crypto::Bulk,
    attempts: Attempts,
}

impl BlobKey {
    /// The key of a new blob, and the header to begin its file with. `name` is the blob's own and stays.
    pub fn create(dek: &Dek, name: &str, rng: &mut impl CryptoRng) -> Result<(Self, Sealed)> {
        let mut header = MAGIC.to_vec();
        let mut salt = [0u8; SALT];
        rng.fill_bytes(&mut salt);
        header.extend_from_slice(&salt);
        let mut attempts = Attempts::default();
        attempts.begin(0, rng);
        Ok((Self::with_salt(dek, name, &salt, attempts)?, Sealed(header)))
    }

    /// The key of a blob that is there, from its header and the attempts that wrote it.
    pub fn read(dek: &Dek, name: &str, header: &[u8], attempts: Attempts) -> Result<Self> {
        let salt = header.strip_prefix(MAGIC.as_slice()).filter(|salt| salt.len() == SALT);
        let salt = salt.ok_or_else(|| Error::Internal("not a sealed blob".to_owned()))?;
        Self::with_salt(dek, name, salt, attempts)
    }

    fn with_salt(dek: &Dek, name: &str, salt: &[u8], attempts: Attempts) -> Result<Self> {
        let key = crypto::Bulk::derive(&dek.0, salt, &[b"acrite blob ", name.as_bytes()])?;
        Ok(Self { key, attempts })
    }

    /// Goes on writing at chunk `first`, after an attempt of which nobody knows what it wrote there.
    pub fn begin_again(&mut self, first: u64, rng: &mut impl CryptoRng) {
        self.attempts.begin(first, rng);
    }

    /// The attempts that wrote the file, to be kept with it.
    #[must_use]
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Seals whole chunks, the first of them at index `first`. `plaintext` is a multiple of [`CHUNK`].
    pub fn seal_whole(&self, first: u64, plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Sealed> {
        if !plaintext.len().is_multiple_of(CHUNK) {
            return Err(Error::Internal("whole chunks only".to_owned()));
        }
        let mut out = Vec::with_capacity(plaintext.len() / CHUNK * SEALED_CHUNK);
        for (index, chunk) in (first..).zip(plaintext.chunks_exact(CHUNK)) {
            self.seal_chunk(index, false, chunk, rng, &mut out)?;
        }
        Ok(Sealed(out))
    }

    /// Seals the last chunk: less than [`CHUNK`] bytes, maybe none.
    pub fn seal_last(&self, index: u64, plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Sealed> {
        if plaintext.len() >= CHUNK {
            return Err(Error::Internal("the last chunk is never a whole one".to_owned()));
        }
        let mut out = Vec::with_capacity(plaintext.len() + OVERHEAD);
        self.seal_chunk(index, true, plaintext, rng, &mut out)?;
        Ok(Sealed(out))
    }

    fn seal_chunk(
        &self,
        index: u64,
        last: bool,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut nonce = [0u8; crypto::NONCE];
        rng.fill_bytes(&mut nonce);
        out.extend_from_slice(&nonce);
        self.key.seal_onto(nonce, &self.place(index, last), plaintext, out)
    }

    /// Opens consecutive chunks, the first of them at index `first`. `ends`: the last of them is the blob's last.
    pub fn open(&self, first: u64, sealed: &[u8], ends: bool) -> Result<Vec<u8>> {
        let count = sealed.len().div_ceil(SEALED_CHUNK);
        // Room for the tag too: a chunk is opened where its plaintext is to stand.
        let mut out = Vec::with_capacity(count * CHUNK + crypto::TAG);
        for (at, chunk) in sealed.chunks(SEALED_CHUNK).enumerate() {
            let last = ends && at + 1 == count;
            let Some((nonce, body)) = chunk.split_first_chunk::<{ crypto::NONCE }>() else {
                return Err(Error::Internal("a sealed blob is cut off".to_owned()));
            };
            self.key.open_onto(*nonce, &self.place(first + at as u64, last), body, &mut out)?;
        }
        Ok(out)
    }

    /// What is bound into a chunk's tag.
    fn place(&self, index: u64, last: bool) -> Vec<u8> {
        [&index.to_be_bytes(), [u8::from(last)].as_slice(), self.attempts.of(index)].concat()
    }
}

impl Dek {
    /// A new random one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// From the bytes that a key encryption key unwrapped.
    pub fn from_unwrapped(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::Internal("an unwrapped DEK is not 32 bytes long".to_owned()))
    }

    /// The bytes, for wrapping only.
    #[must_use]
    pub fn to_wrap(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// Seals a small thing (a manifest, an upload's tail). `context` says what it is, so that one sealed
    /// thing cannot stand in for another.
    pub fn seal(&self, context: &str, plaintext: &[u8], rng: &mut impl CryptoRng) -> Result<Sealed> {
        crypto::seal(&self.0, context.as_bytes(), plaintext, rng).map(Sealed)
    }

    /// Opens it again.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        crypto::open(&self.0, context.as_bytes(), &sealed.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "a-blob";

    /// A whole file, header and chunks, and the attempts that wrote it.
    fn seal(dek: &Dek, plaintext: &[u8]) -> (Vec<u8>, Attempts) {
        let mut rng = rand::rng();
        let (key, header) = BlobKey::create(dek, NAME, &mut rng).unwrap();
        let whole = plaintext.len() / CHUNK * CHUNK;
        let mut file = header.0;
        file.extend(key.seal_whole(0, &plaintext[..whole], &mut rng).unwrap().0);
        file.extend(key.seal_last((whole / CHUNK) as u64, &plaintext[whole..], &mut rng).unwrap().0);
        (file, key.attempts().clone())
    }

    fn open(dek: &Dek, (file, attempts): (&[u8], &Attempts)) -> Result<Vec<u8>> {
        let (header, chunks) = file.split_at_checked(HEADER).ok_or(Error::Internal(String::new()))?;
        if chunks.is_empty() {
            return Err(Error::Internal("no chunk".to_owned()));
        }
        BlobKey::read(dek, NAME, header, attempts.clone())?.open(0, chunks, true)
    }

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|i| u8::try_from((i * 31 + i / 251) % 256).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_sealed_comes_back(size in prop_oneof![0..200usize, (CHUNK - 2)..(CHUNK + 3), 0..(4 * CHUNK)]) {
            let dek = Dek::generate(&mut rand::rng());
            let (file, attempts) = seal(&dek, &bytes(size));
            prop_assert_eq!(file.len() as u64, sealed_size(size as u64));
            prop_assert_eq!(open(&dek, (&file, &attempts)).unwrap(), bytes(size));
            prop_assert!(open(&Dek::generate(&mut rand::rng()), (&file, &attempts)).is_err());
        }

        #[test]
        fn a_range_opens_only_its_chunks(size in 1..(4 * CHUNK), from in 0..4u64) {
            let dek = Dek::generate(&mut rand::rng());
            let (file, attempts) = seal(&dek, &bytes(size));
            let last = (size / CHUNK) as u64;
            let from = from.min(last);
            let key = BlobKey::read(&dek, NAME, &file[..HEADER], attempts).unwrap();
            let start = usize::try_from(chunk_offset(from)).unwrap();
            let end = usize::try_from(if from == last { sealed_size(size as u64) } else { chunk_offset(from + 1) }).unwrap();
            let opened = key.open(from, &file[start..end], from == last).unwrap();
            let at = usize::try_from(from).unwrap() * CHUNK;
            prop_assert_eq!(&opened, &bytes(size)[at..(at + CHUNK).min(size)]);
        }

        #[test]
        fn no_file_opens_that_was_cut_or_changed(size in 0..(3 * CHUNK), cut in 1..200_000usize, flip in any::<prop::sample::Index>()) {
            let dek = Dek::generate(&mut rand::rng());
            let (file, attempts) = seal(&dek, &bytes(size));
            let cut = file.len() - cut.min(file.len());
            prop_assert!(open(&dek, (&file[..cut], &attempts)).is_err());
            let mut changed = file.clone();
            let at = flip.index(changed.len());
            changed[at] ^= 1;
            prop_assert!(open(&dek, (&changed, &attempts)).is_err());
        }

        #[test]
        fn attempts_come_back_as_they_were(firsts in prop::collection::btree_set(any::<u64>(), 0..5), cut in 1..23usize) {
            let mut attempts = Attempts::default();
            firsts.iter().for_each(|first| attempts.begin(*first, &mut rand::rng()));
            let stored = attempts.to_bytes();
            prop_assert_eq!(&Attempts::from_bytes(&stored).unwrap(), &attempts);
            prop_assert!(stored.is_empty() || Attempts::from_bytes(&stored[cut..]).is_err());
        }

        #[test]
        fn whatever_is_stored_as_attempts_is_read_or_refused(stored in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(attempts) = Attempts::from_bytes(&stored) {
                prop_assert_eq!(attempts.to_bytes(), stored);
            }
        }
    }

    #[test]
    fn chunks_keep_their_place() {
        let dek = Dek::generate(&mut rand::rng());
        let (file, attempts) = seal(&dek, &bytes(3 * CHUNK));
        let open = |file: &[u8]| open(&dek, (file, &attempts));
        let chunk = |i: usize| &file[HEADER + i * SEALED_CHUNK..HEADER + (i + 1) * SEALED_CHUNK];
        let tail = &file[HEADER + 3 * SEALED_CHUNK..];
        let with = |order: &[usize]| {
            let mut made = file[..HEADER].to_vec();
            order.iter().for_each(|i| made.extend_from_slice(chunk(*i)));
            made.extend_from_slice(tail);
            made
        };
        assert!(open(&with(&[0, 1, 2])).is_ok());
        assert!(open(&with(&[1, 0, 2])).is_err(), "swapped");
        assert!(open(&with(&[0, 1])).is_err(), "dropped");
        assert!(open(&with(&[0, 1, 2, 2])).is_err(), "repeated");
        assert!(open(&file[..HEADER + 3 * SEALED_CHUNK]).is_err(), "without its end");
        let key = BlobKey::read(&dek, "another-blob", &file[..HEADER], attempts.clone()).unwrap();
        assert!(key.open(0, &file[HEADER..], true).is_err(), "under another name");
    }

    #[test]
    fn what_an_attempt_wrote_that_broke_off_never_opens_again() {
        let (dek, mut rng) = (Dek::generate(&mut rand::rng()), rand::rng());
        let (mut key, header) = BlobKey::create(&dek, NAME, &mut rng).unwrap();
        let kept = key.seal_whole(0, &bytes(CHUNK), &mut rng).unwrap();
        let lost = key.seal_whole(1, &[1; CHUNK], &mut rng).unwrap();
        let lost_end = key.seal_last(2, b"lost", &mut rng).unwrap();
        key.begin_again(1, &mut rng);
        let again = key.seal_whole(1, &[2; CHUNK], &mut rng).unwrap();
        let end = key.seal_last(2, b"kept", &mut rng).unwrap();
        let attempts = Attempts::from_bytes(&key.attempts().to_bytes()).unwrap();
        let opens = |second: &Sealed, last: &Sealed| {
            let file = [header.as_bytes(), kept.as_bytes(), second.as_bytes(), last.as_bytes()].concat();
            open(&dek, (&file, &attempts))
        };
        assert_eq!(opens(&again, &end).unwrap(), [bytes(CHUNK).as_slice(), &[2; CHUNK], b"kept"].concat());
        assert!(opens(&lost, &end).is_err());
        assert!(opens(&again, &lost_end).is_err());
        assert!(opens(&lost, &lost_end).is_err());
    }

    /// A blob that was sealed before attempts were noted.
    #[test]
    fn blobs_without_attempts_open() {
        let (dek, mut rng) = (Dek::generate(&mut rand::rng()), rand::rng());
        let (mut key, header) = BlobKey::create(&dek, NAME, &mut rng).unwrap();
        key.attempts = Attempts::default();
        let last = key.seal_last(0, b"old", &mut rng).unwrap();
        let file = [header.as_bytes(), last.as_bytes()].concat();
        assert_eq!(open(&dek, (&file, &Attempts::from_bytes(b"").unwrap())).unwrap(), b"old");
        assert!(
            open(
                &dek,
                (&file, &{
                    let mut a = Attempts::default();
                    a.begin(0, &mut rng);
                    a
                })
            )
            .is_err()
        );
    }
}
