//! A key's record: the job that it leads to, and what was asked.

use raincheck_core::id::JobId;
use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_store::KeyEntry;

use super::wire::{Reader, Wrong};
use super::{Damage, Kind, sealed, unsealed};

const VERSION: u8 = 1;

/// The record of a key.
pub fn encode(digest: KeyDigest, entry: &KeyEntry) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.push(VERSION);
    out.extend_from_slice(entry.job.as_bytes());
    out.extend_from_slice(&entry.fingerprint.0);
    sealed(Kind::Key, &digest.0, out)
}

/// What a record says.
pub fn decode(digest: KeyDigest, record: &[u8]) -> Result<KeyEntry, Damage> {
    let (version, fields) = unsealed(Kind::Key, &digest.0, record)?;
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let mut reader = Reader::new(fields);
    let job = JobId::from_bytes(reader.sixteen("job")?).ok_or(Wrong("job"))?;
    let fingerprint = Fingerprint(reader.sixteen("fingerprint")?);
    reader.end()?;
    Ok(KeyEntry { job, fingerprint })
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
            prop_assert_eq!(decode(digest, &encode(digest, &entry)), Ok(entry));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            (digest, entry) in entry(),
            at: proptest::sample::Index,
            bit in 0..8_u8,
        ) {
            let mut record = encode(digest, &entry);
            let at = at.index(record.len());
            record[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(digest, &record), Err(Damage::Checksum));
        }

        #[test]
        fn a_record_under_another_key_is_noticed((digest, entry) in entry(), other: [u8; 16]) {
            prop_assume!(digest.0 != other);
            let record = encode(digest, &entry);
            prop_assert_eq!(decode(KeyDigest(other), &record), Err(Damage::Checksum));
        }

        #[test]
        fn any_fields_are_read_without_a_panic(digest: [u8; 16], mut fields: Vec<u8>) {
            fields.insert(0, VERSION);
            let _ = decode(KeyDigest(digest), &sealed(Kind::Key, &digest, fields));
        }
    }
}
