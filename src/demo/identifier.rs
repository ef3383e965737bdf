//! Invents the identifiers an AWS record carries.
//!
//! Takes a seeded source of randomness, gives access keys, principals, UUIDs, request ids and tokens of true
//! shape. Promises that the same source in the same state gives the same text, and that the account a key
//! belongs to can be read back from it, as with real keys.
//!
//! Not here: which identifier belongs where (`record`, `session`).

use fastrand::Rng;

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ALNUM: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzABCDEFG78";
const UPPER: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ0123456789";

/// Appends `length` letters of an alphabet of `2^bits` letters, drawing 64 bits at a time.
fn letters(out: &mut Vec<u8>, rng: &mut Rng, (alphabet, bits): (&[u8], u32), length: usize) {
    let (mut pool, mut left) = (0_u64, 0_u32);
    let mask = (1_u64 << bits) - 1;
    for _ in 0..length {
        if left < bits {
            (pool, left) = (rng.u64(..), 64);
        }
        let at = usize::try_from(pool & mask).unwrap_or_default();
        out.push(alphabet.get(at).copied().unwrap_or(b'A'));
        pool >>= bits;
        left -= bits;
    }
}

/// Appends lower-case hexadecimal digits.
pub(super) fn hex(out: &mut Vec<u8>, rng: &mut Rng, length: usize) {
    letters(out, rng, (HEX, 4), length);
}

/// Appends letters of a token, such as a session token or the second request id of S3.
pub(super) fn base64(out: &mut Vec<u8>, rng: &mut Rng, length: usize) {
    letters(out, rng, (BASE64, 6), length);
}

/// Appends letters and digits, as at the end of a log file's name.
pub(super) fn alnum(out: &mut Vec<u8>, rng: &mut Rng, length: usize) {
    letters(out, rng, (ALNUM, 5), length);
}

/// Appends upper-case letters and digits, as in the request ids of S3 and DynamoDB.
pub(super) fn upper(out: &mut Vec<u8>, rng: &mut Rng, length: usize) {
    letters(out, rng, (UPPER, 5), length);
}

/// Appends a random (version 4) UUID.
pub(super) fn uuid(out: &mut Vec<u8>, rng: &mut Rng) {
    hex(out, rng, 8);
    out.push(b'-');
    hex(out, rng, 4);
    out.extend_from_slice(b"-4");
    hex(out, rng, 3);
    out.extend_from_slice(match rng.u8(0..4) {
        0 => b"-8",
        1 => b"-9",
        2 => b"-a",
        _ => b"-b",
    });
    hex(out, rng, 3);
    out.push(b'-');
    hex(out, rng, 12);
}

/// Returns a UUID as a string of its own.
pub(super) fn uuid_string(rng: &mut Rng) -> String {
    let mut out = Vec::with_capacity(36);
    uuid(&mut out, rng);
    String::from_utf8(out).unwrap_or_default()
}

/// Returns a string that one of the appending functions wrote.
pub(super) fn owned(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Returns the access key id of a session: `ASIA…`.
pub(super) fn temporary_key(rng: &mut Rng, account: &str) -> String {
    let chance = rng.u64(0..KEY_SERIALS);
    owned(|out| {
        key_head(out, "ASIA", account, chance);
        letters(out, rng, (BASE32, 5), 7);
    })
}

/// How many long-term keys an account can have.
pub(super) const KEY_SERIALS: u64 = 16;

/// Returns one of the access key ids of an account's users: `AKIA…EXAMPLE`.
///
/// It ends as the keys in the documentation do, since it is the kind that secret scanners look for. That leaves
/// room for [`KEY_SERIALS`] keys an account, so they are numbered and not thrown: no two users share one.
pub(super) fn long_term_key(account: &str, serial: u64) -> String {
    owned(|out| {
        key_head(out, "AKIA", account, serial % KEY_SERIALS);
        out.extend_from_slice(b"EXAMPLE");
    })
}

/// Appends a prefix and the nine letters that hold the account number, the way AWS's own keys do.
fn key_head(out: &mut Vec<u8>, prefix: &str, account: &str, low: u64) {
    let number: u64 = account.parse().unwrap_or_default();
    // 45 bits in nine letters: one set bit, forty of the account, four that are free.
    let head = (1 << 44) | (number << 4) | low;
    out.extend_from_slice(prefix.as_bytes());
    for place in (0..9).rev() {
        let at = usize::try_from((head >> (place * 5)) & 31).unwrap_or_default();
        out.push(BASE32.get(at).copied().unwrap_or(b'A'));
    }
}

/// Returns a principal id, for example `AROA…EXAMPLE` of a role or `AIDA…EXAMPLE` of a user.
pub(super) fn principal(rng: &mut Rng, prefix: &str) -> String {
    owned(|out| {
        out.extend_from_slice(prefix.as_bytes());
        letters(out, rng, (BASE32, 5), 10);
        out.extend_from_slice(b"EXAMPLE");
    })
}

#[cfg(test)]
mod tests {
    use super::{long_term_key, principal, temporary_key, uuid_string};
    use fastrand::Rng;

    /// Reads the account back out of a key, by the published rule.
    fn account_of(key: &str) -> u64 {
        let bits = key.bytes().skip(4).take(10).fold(0_u64, |bits, letter| {
            let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
            (bits << 5) | u64::from(value)
        });
        ((bits >> 2) & 0x7fff_ffff_ff80) >> 7
    }

    #[test]
    fn keys_name_their_account() {
        let mut rng = Rng::with_seed(7);
        for key in [temporary_key(&mut rng, "999933335555"), long_term_key("999933335555", 3)] {
            assert_eq!(key.len(), 20, "{key}");
            assert_eq!(account_of(&key), 999_933_335_555, "{key}");
        }
    }

    #[test]
    fn identifiers_have_their_lengths() {
        let mut rng = Rng::with_seed(7);
        assert_eq!(uuid_string(&mut rng).len(), 36);
        assert_eq!(principal(&mut rng, "AROA").len(), 21);
    }
}
