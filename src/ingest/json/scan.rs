//! Finds where values end, in one pass and without recursion, checking the grammar on the way.

/// How deep values may nest. Real records stay below 30; the stack of open brackets is one `u128`.
pub const DEPTH_MAX: u32 = 128;

/// Why a value could not be walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end inside the value.
    Incomplete,
    /// The text is no JSON, or beyond a limit.
    Broken {
        /// Where, as an offset into the bytes.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// What kind of value a span holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl Kind {
    /// Says whether the value is a string.
    pub fn is_string(self) -> bool {
        matches!(self, Self::Plain | Self::Escaped)
    }
}

/// Where a value stands. Of a string the span is what lies between the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The kind of value.
    pub kind: Kind,
}

impl Span {
    pub(super) fn new(start: usize, end: usize, kind: Kind) -> Self {
        // A segment is bounded far below 4 GiB (`BatchLimits::plain_bytes_max`).
        debug_assert!(u32::try_from(end).is_ok(), "a segment stays under 4 GiB");
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end), kind }
    }

    /// Returns the text of the span; of a string, what lies between the quotes.
    #[inline]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Returns the JSON text of the value, quotes included.
    #[inline]
    pub fn json(self, text: &str) -> &str {
        let quote = usize::from(self.kind.is_string());
        text.get(self.start as usize - quote..self.end as usize + quote).unwrap_or_default()
    }
}

/// A place in JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at a place in the bytes.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Returns the present place.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Returns the bytes it walks.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn broken<T>(&self, what: &'static str) -> Result<T, Stop> {
        Err(Stop::Broken { at: self.at, what })
    }

    /// Passes white space and returns the byte after it, without passing that.
    ///
    /// # Errors
    /// `Incomplete` at the end.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, Stop> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Stop::Incomplete),
            }
        }
    }

    /// Passes one byte that must be `byte`.
    ///
    /// # Errors
    /// Another byte stands there, or none.
    #[inline]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Stop> {
        if self.peek()? == byte {
            self.at += 1;
            return Ok(());
        }
        self.broken(what)
    }

    /// Passes one value of any kind and gives its span.
    ///
    /// # Errors
    /// The value is incomplete, broken, or nests deeper than [`DEPTH_MAX`].
    pub fn value(&mut self) -> Result<Span, Stop> {
        let first = self.peek()?;
        let start = self.at;
        let kind = match first {
            b'"' => {
                self.at += 1;
                let kind = self.string_rest()?;
                return Ok(Span::new(start + 1, self.at - 1, kind));
            }
            b'{' | b'[' => {
                self.container()?;
                if first == b'{' { Kind::Object } else { Kind::Array }
            }
            _ => self.scalar(first)?,
        };
        Ok(Span::new(start, self.at, kind))
    }

    /// Passes the key of the next member of an object whose `{` or previous member has been passed, and its
    /// colon. `None` when the object ends; its `}` is passed then.
    ///
    /// # Errors
    /// The text is incomplete or broken.
    #[inline]
    pub fn member(&mut self, first: &mut bool) -> Result<Option<Span>, Stop> {
        let mut byte = self.peek()?;
        if byte == b'}' {
            self.at += 1;
            return Ok(None);
        }
        if !std::mem::take(first) {
            if byte != b',' {
                return self.broken("no comma between two members");
            }
            self.at += 1;
            byte = self.peek()?;
        }
        if byte != b'"' {
            return self.broken("a key that is no string");
        }
        self.at += 1;
        let start = self.at;
        let kind = self.string_rest()?;
        let key = Span::new(start, self.at - 1, kind);
        self.expect(b':', "no colon after a key")?;
        Ok(Some(key))
    }

    /// Passes to the next element of an array whose `[` or previous element has been passed.
    /// False when the array ends; its `]` is passed then.
    ///
    /// # Errors
    /// The text is incomplete or broken.
    #[inline]
    pub fn element(&mut self, first: &mut bool) -> Result<bool, Stop> {
        let byte = self.peek()?;
        if byte == b']' {
            self.at += 1;
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        if byte != b',' {
            return self.broken("no comma between two elements");
        }
        self.at += 1;
        if self.peek()? == b']' { self.broken("a comma before the end of an array") } else { Ok(true) }
    }

    /// Passes a container, brackets of any depth up to the limit, without recursion.
    fn container(&mut self) -> Result<(), Stop> {
        // One bit for each open bracket: 1 for an object.
        let (mut stack, mut depth) = (0_u128, 0_u32);
        loop {
            let byte = self.peek()?;
            let is_leaf = match byte {
                b'{' | b'[' => self.open(byte, &mut stack, &mut depth)?,
                b'"' => {
                    self.at += 1;
                    self.string_rest()?;
                    true
                }
                _ => {
                    self.scalar(byte)?;
                    true
                }
            };
            if is_leaf && self.close(&mut stack, &mut depth)? {
                return Ok(());
            }
        }
    }

    /// Passes an opening bracket and the first key behind it. True when nothing is in the container.
    #[inline]
    fn open(&mut self, bracket: u8, stack: &mut u128, depth: &mut u32) -> Result<bool, Stop> {
        self.at += 1;
        if *depth == DEPTH_MAX {
            return self.broken("nested deeper than 128");
        }
        let is_object = bracket == b'{';
        *stack = (*stack << 1) | u128::from(is_object);
        *depth += 1;
        let is_empty = self.peek()? == if is_object { b'}' } else { b']' };
        if is_object && !is_empty {
            self.key()?;
        }
        Ok(is_empty)
    }

    /// After a value: passes the closing brackets and the comma that follow. True when all are closed.
    #[inline]
    fn close(&mut self, stack: &mut u128, depth: &mut u32) -> Result<bool, Stop> {
        loop {
            let in_object = *stack & 1 == 1;
            match self.peek()? {
                b',' => {
                    self.at += 1;
                    if in_object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return self.broken("neither a comma nor the right closing bracket"),
            }
            self.at += 1;
            *stack >>= 1;
            *depth -= 1;
            if *depth == 0 {
                return Ok(true);
            }
        }
    }

    #[inline]
    fn key(&mut self) -> Result<(), Stop> {
        self.expect(b'"', "a key that is no string")?;
        self.string_rest()?;
        self.expect(b':', "no colon after a key")
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Result<Kind, Stop> {
        match first {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true", Kind::Boolean),
            b'f' => self.literal(b"false", Kind::Boolean),
            b'n' => self.literal(b"null", Kind::Null),
            _ => self.broken("no value"),
        }
    }

    fn literal(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(kind);
        }
        if word.starts_with(rest) { Err(Stop::Incomplete) } else { self.broken("no value") }
    }

    fn number(&mut self) -> Result<Kind, Stop> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let digits = self.digits("a number without digits")?;
        if leading_zero && digits > 1 {
            return self.broken("a number with a leading zero");
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("a number without digits after the point")?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits("a number without digits in its exponent")?;
        }
        Ok(Kind::Number)
    }

    fn digits(&mut self, what: &'static str) -> Result<usize, Stop> {
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'0'..=b'9') => self.at += 1,
                // A number may go on in the next chunk; objects end with a newline of ours.
                None => return Err(Stop::Incomplete),
                Some(_) if self.at == start => return self.broken(what),
                Some(_) => return Ok(self.at - start),
            }
        }
    }

    /// Passes the rest of a string whose opening quote has been passed, and its closing quote.
    #[inline]
    fn string_rest(&mut self) -> Result<Kind, Stop> {
        let mut kind = Kind::Plain;
        loop {
            while let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
                let special = special_bytes(u64::from_le_bytes(*word));
                if special != 0 {
                    self.at += (special.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(kind);
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(0..=0x1f) => return self.broken("a control character in a string"),
                Some(_) => self.at += 1,
                None => return Err(Stop::Incomplete),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Stop> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(Stop::Incomplete)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.broken("an escape without four hexadecimal digits");
                }
                self.at += 6;
            }
            Some(_) => return self.broken("an unknown escape"),
            None => return Err(Stop::Incomplete),
        }
        Ok(())
    }
}

/// Marks, in the top bit of each byte, quotes, backslashes and control characters. The lowest mark is
/// exact; those above it may be false, so only the lowest is used.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES * 0x80;
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    (zero(quote) | zero(backslash) | (word.wrapping_sub(ONES * 0x20) & !word)) & TOPS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let ended = format!("{text}\n");
        let mut scanner = Scanner::new(ended.as_bytes(), 0);
        scanner.value().is_ok() && scanner.peek() == Err(Stop::Incomplete)
    }

    #[test]
    fn tells_broken_from_incomplete() {
        let whole = r#"{"a":[1,-2.5e+3,true,null,"x\u00e9\n"],"b":{}}"#;
        for cut in 1..whole.len() {
            let mut scanner = Scanner::new(&whole.as_bytes()[..cut], 0);
            assert_eq!(scanner.value().unwrap_err(), Stop::Incomplete, "{cut}");
        }
        assert!(accepts(whole));
        for broken in [
            "{]",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "[01]",
            "[1.]",
            "[\"\u{1}\"]",
            "[\"\\x\"]",
            "[tru1]",
            "[}",
        ] {
            let mut scanner = Scanner::new(broken.as_bytes(), 0);
            assert!(matches!(scanner.value(), Err(Stop::Broken { .. })), "{broken}");
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(&nest(128)));
        assert!(!accepts(&nest(129)));
    }

    proptest! {
        /// Random bytes and mutated JSON: never a panic, and the same verdict as serde_json.
        #[test]
        fn agrees_with_serde_json(text in r#"([\[\]{}",:0-9eE+\-. a-z\\]|true|null|"[a-z]*":|\\u[0-9a-f]{4}){0,24}"#) {
            let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
            prop_assert_eq!(accepts(&text), theirs, "{}", text);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut scanner = Scanner::new(&bytes, 0);
            let _value = scanner.value();
        }
    }
}
