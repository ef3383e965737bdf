//! Networks in CIDR's notation, and the narrowest that holds an address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: u128,
    length: u32,
    is_v4: bool,
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    pub fn read(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let bits = bits(address.is_ipv4());
        Self::around(address, length.unwrap_or(bits)).filter(|_| length.is_none_or(|length| length <= bits))
    }

    /// Returns the network of a length that an address is in.
    fn around(address: IpAddr, length: u32) -> Option<Self> {
        let free = bits(address.is_ipv4()).checked_sub(length)?;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Some(Self { first: number(address) & mask, length, is_v4: address.is_ipv4() })
    }

    /// Says whether an address is in it.
    pub fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4 && Self::around(address, self.length) == Some(self)
    }
}

fn bits(is_v4: bool) -> u32 {
    if is_v4 { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Networks and what is known of each. Of two that hold an address, the narrower counts.
#[derive(Debug)]
pub(super) struct Networks<T> {
    /// By length, since a look-up tries each length there is once.
    by_length: BTreeMap<(bool, u32), HashMap<Network, T>>,
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self { by_length: BTreeMap::new() }
    }
}

impl<T> Networks<T> {
    pub(super) fn insert(&mut self, network: Network, value: T) {
        self.by_length.entry((network.is_v4, network.length)).or_default().insert(network, value);
    }

    /// Returns what is known of the narrowest network around an address.
    pub(super) fn find(&self, address: IpAddr) -> Option<&T> {
        let is_v4 = address.is_ipv4();
        let narrowest_first = self.by_length.range((is_v4, 0)..=(is_v4, 128)).rev();
        narrowest_first
            .filter_map(|((_, length), networks)| networks.get(&Network::around(address, *length)?))
            .next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_network_counts() {
        let mut networks = Networks::default();
        for text in ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0"] {
            networks.insert(Network::read(text).unwrap(), text);
        }
        let find = |address: &str| networks.find(address.parse().unwrap()).copied();
        assert_eq!(find("10.1.2.3"), Some("10.1.2.3"));
        assert_eq!(find("10.1.2.4"), Some("10.1.0.0/16"));
        assert_eq!(find("10.2.0.1"), Some("10.0.0.0/8"));
        assert_eq!(find("192.0.2.1"), Some("0.0.0.0/0"));
        assert_eq!(find("2001:db8:1::1"), Some("2001:db8::/32"));
        assert_eq!(find("2001:db9::1"), None);
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "example.com", "10.0.0.0/"] {
            assert_eq!(Network::read(text), None, "{text}");
        }
        let host = Network::read("10.1.2.3/8").unwrap();
        assert!(host.holds("10.255.0.0".parse().unwrap()) && !host.holds("11.0.0.0".parse().unwrap()));
    }
}
