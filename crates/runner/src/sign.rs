//! Signatures of webhooks, as Standard Webhooks has them: over the id, the time of the try and the
//! very bytes that are sent, one for each key, so that keys can overlap while they are changed.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_core::callback::SigningKey;

/// Signs with all of several keys.
pub struct Signer {
    keys: Vec<Key>,
}

enum Key {
    Symmetric(Box<hmac::Key>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The two halves of an Ed25519 key do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private and the public half of webhook key {0} do not belong together")]
pub struct BadKey(pub usize);

impl Signer {
    /// A signer with these keys.
    ///
    /// # Errors
    /// One of them is none; which, from 1.
    pub fn new(keys: &[SigningKey]) -> Result<Self, BadKey> {
        let made = (1..).zip(keys).map(|(number, key)| match key {
            SigningKey::Symmetric(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                Ok(Key::Symmetric(Box::new(key)))
            }
            SigningKey::Ed25519 { seed, public } => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public);
                let pair = pair.map_err(|_| BadKey(number))?;
                Ok(Key::Ed25519(Box::new(pair)))
            }
        });
        Ok(Self {
            keys: made.collect::<Result<_, BadKey>>()?,
        })
    }

    /// `webhook-signature` of a message: `seconds` since the epoch is the time of this try.
    pub fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut content = format!("{id}.{seconds}.").into_bytes();
        content.extend_from_slice(body);
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&content)).collect();
        signatures.join(" ")
    }
}

impl Key {
    fn sign(&self, content: &[u8]) -> String {
        match self {
            Self::Symmetric(key) => {
                let tag = hmac::sign(key, content);
                format!("v1,{}", STANDARD.encode(tag.as_ref()))
            }
            Self::Ed25519(pair) => {
                format!("v1a,{}", STANDARD.encode(pair.sign(content).as_ref()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Against the test vectors of the standard's repository.

    use super::*;

    fn secret(text: &str) -> SigningKey {
        SigningKey::Symmetric(STANDARD.decode(text).unwrap())
    }

    fn pair(text: &str) -> SigningKey {
        let bytes = STANDARD.decode(text).unwrap();
        SigningKey::Ed25519 {
            seed: bytes[..32].try_into().unwrap(),
            public: bytes[32..].try_into().unwrap(),
        }
    }

    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PAIR: &str =
        "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_vectors_of_the_standard_come_out() {
        let first = Signer::new(&[secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]).unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            first.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
        let both = Signer::new(&[secret(SECRET), pair(PAIR)]).unwrap();
        assert_eq!(
            both.sign(ID, 1_614_265_330, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= \
             v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        );
    }

    #[test]
    fn a_pair_of_strangers_is_refused() {
        let SigningKey::Ed25519 { seed, .. } = pair(PAIR) else {
            unreachable!()
        };
        let strangers = SigningKey::Ed25519 {
            seed,
            public: [7; 32],
        };
        let signer = Signer::new(&[secret(SECRET), strangers]);
        assert_eq!(signer.err(), Some(BadKey(2)));
    }
}
