//! Where in an object a place in the segment's text is.

/// What to add to a place in the text to get the place in the object.
#[derive(Debug, Clone, Copy)]
pub struct Offset(i64);

impl Offset {
    /// Starts with an object whose text begins at `start`.
    pub fn at(start: usize) -> Self {
        Self(i64::try_from(start).map_or(0, |start| -start))
    }

    /// Notes that so many bytes before the present place are dropped from the text.
    pub fn drop_passed(&mut self, bytes: usize) {
        self.0 += i64::try_from(bytes).unwrap_or(0);
    }

    /// Returns where in the object a place in the text is.
    pub fn of(self, at: usize) -> u64 {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        u64::try_from(at.saturating_add(self.0)).unwrap_or(0)
    }
}
