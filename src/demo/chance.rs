//! Spreads chance.
//!
//! Takes a number thrown once, gives as many independent choices as are asked for, so that all parts of a record
//! can agree on what it is about without telling each other.

/// Returns one entry of a list, chosen by a number; an empty list gives an empty text.
pub(super) fn pick<'a>(list: &[&'a str], choice: u64) -> &'a str {
    let length = u64::try_from(list.len()).unwrap_or(1).max(1);
    usize::try_from(choice % length).ok().and_then(|at| list.get(at)).copied().unwrap_or_default()
}

/// Spreads the chance of a record over its fields, so that two fields do not move together.
pub(super) fn mix(token: u64, salt: u64) -> u64 {
    let word = (token ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 29)
}
