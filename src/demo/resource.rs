//! Names what the accounts own.
//!
//! Takes the patterns of `resources.txt`, gives every place an [`Inventory`] of its own.

use super::error::DemoError;
use super::inventory::Inventory;
use super::template::{Scene, Template};
use fastrand::Rng;

/// The kinds of resource and how each is named.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    /// Names of the kinds, in the order of an inventory.
    pub(super) kinds: Vec<String>,
    named: Vec<(u8, Template)>,
}

impl Patterns {
    /// Reads `resources.txt`.
    ///
    /// # Errors
    ///
    /// Names the line that is not `kind count pattern`.
    pub(super) fn read() -> Result<Self, DemoError> {
        let mut patterns = Self { kinds: Vec::new(), named: Vec::new() };
        for (at, line) in include_str!("resources.txt").lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(kind) = words.next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let count = words.next().and_then(|word| word.parse().ok());
            let (Some(count), Some(pattern)) = (count, words.next()) else {
                return Err(DemoError::Table { file: "resources.txt", line: at + 1 });
            };
            patterns.kinds.push(kind.to_owned());
            patterns.named.push((count, Template::parse(pattern, &[])));
        }
        Ok(patterns)
    }

    /// Names the resources of a place.
    pub(super) fn name_all(&self, account: &str, region: &str, rng: &mut Rng) -> Inventory {
        let none = Inventory::default();
        let mut names = Vec::with_capacity(self.named.len());
        for (count, pattern) in &self.named {
            let mut kind = Vec::with_capacity(usize::from(*count));
            for _ in 0..*count {
                let token = rng.u64(..);
                let scene = Scene { account, region, arn: "", user: "", second: 0, token, inventory: &none };
                let mut name = Vec::new();
                pattern.fill(&mut name, &scene, rng);
                kind.push(String::from_utf8(name).unwrap_or_default());
            }
            names.push(kind);
        }
        Inventory::new(names)
    }
}
