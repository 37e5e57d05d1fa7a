//! A job's key as it stands in its row: the digest, what was asked, and a checksum over both and
//! the job.
//!
//! The checksum is that of the record that format 2 kept under the digest, with the job in it.

use raincheck_core::id::JobId;
use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_store::KeyEntry;

use super::{CHECKSUM, Damage, Kind, checksum};

const VERSION: u8 = 1;

/// The bytes of a key.
const LEN: usize = 16 + 16 + CHECKSUM;

/// The key of `entry.job`.
pub fn encode(digest: KeyDigest, entry: &KeyEntry) -> [u8; LEN] {
    let mut key = [0; LEN];
    let (first, rest) = key.split_at_mut(16);
    let (asked, sum) = rest.split_at_mut(16);
    first.copy_from_slice(&digest.0);
    asked.copy_from_slice(&entry.fingerprint.0);
    let entry = checksum_of(digest, entry.job, &entry.fingerprint.0);
    sum.copy_from_slice(&entry.to_le_bytes());
    key
}

fn checksum_of(digest: KeyDigest, job: JobId, fingerprint: &[u8; 16]) -> u32 {
    let mut record = [VERSION; 33];
    let (_, fields) = record.split_at_mut(1);
    let (of_job, asked) = fields.split_at_mut(16);
    of_job.copy_from_slice(job.as_bytes());
    asked.copy_from_slice(fingerprint);
    checksum(Kind::Key, &digest.0, &record)
}

/// The digest of a key, as far as there is one: a damaged key is told only to whom it concerns.
pub fn digest_of(key: &[u8]) -> Option<KeyDigest> {
    key.first_chunk().copied().map(KeyDigest)
}

/// What the key of `job` says.
pub fn decode(job: JobId, key: &[u8]) -> Result<(KeyDigest, KeyEntry), Damage> {
    let key: &[u8; LEN] = key.try_into().map_err(|_| Damage::Short)?;
    let (digest, rest) = key.split_first_chunk().ok_or(Damage::Short)?;
    let (fingerprint, sum) = rest.split_first_chunk().ok_or(Damage::Short)?;
    let digest = KeyDigest(*digest);
    if checksum_of(digest, job, fingerprint).to_le_bytes() != *sum {
        return Err(Damage::Checksum);
    }
    let fingerprint = Fingerprint(*fingerprint);
    Ok((digest, KeyEntry { job, fingerprint }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    fn entry() -> impl Strategy<Value = (KeyDigest, KeyEntry)> {
        (any::<[u8; 16]>(), arbitrary::job_id(), any::<[u8; 16]>()).prop_map(
            |(digest, job, fingerprint)| {
                let fingerprint = Fingerprint(fingerprint);
                (KeyDigest(digest), KeyEntry { job, fingerprint })
            },
        )
    }

    proptest! {
        #[test]
        fn comes_back((digest, entry) in entry()) {
            let key = encode(digest, &entry);
            prop_assert_eq!(digest_of(&key), Some(digest));
            prop_assert_eq!(decode(entry.job, &key), Ok((digest, entry)));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            (digest, entry) in entry(),
            at: proptest::sample::Index,
            bit in 0..8_u8,
        ) {
            let mut key = encode(digest, &entry);
            let at = at.index(key.len());
            key[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(entry.job, &key), Err(Damage::Checksum));
        }

        #[test]
        fn the_key_of_another_job_is_noticed((digest, entry) in entry(), other in arbitrary::job_id()) {
            prop_assume!(entry.job != other);
            let key = encode(digest, &entry);
            prop_assert_eq!(decode(other, &key), Err(Damage::Checksum));
        }

        #[test]
        fn it_has_the_checksum_of_the_record_of_format_2((digest, entry) in entry()) {
            let mut record = vec![VERSION];
            record.extend_from_slice(entry.job.as_bytes());
            record.extend_from_slice(&entry.fingerprint.0);
            let record = super::super::sealed(Kind::Key, &digest.0, record);
            prop_assert_eq!(&encode(digest, &entry)[16..], &record[17..]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(job in arbitrary::job_id(), key: Vec<u8>) {
            let _ = (decode(job, &key), digest_of(&key));
        }
    }
}
