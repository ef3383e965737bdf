//! The columns of a table family, read from its list in `schemas/`.
//!
//! Takes the text of one list and gives the Arrow schema, the order of its
//! leaves, and, at compile time, a typed handle for each column that Rust fills.
//! A handle for a path the list does not have stops the build. Promises: the
//! list is the only place where a column is named and typed.
//!
//! Not here: what goes into the columns (`ingest::source`).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// The columns of the four CloudTrail tables.
pub const CLOUD_TRAIL: &str = include_str!("../../schemas/cloud_trail.txt");
/// The columns of `vpc-flow`.
pub const VPC_FLOW: &str = include_str!("../../schemas/vpc_flow.txt");
/// The columns of the tables of findings.
pub const FINDINGS: &str = include_str!("../../schemas/findings.txt");
/// The columns of `configuration-item`.
pub const CONFIGURATION_ITEM: &str = include_str!("../../schemas/configuration_item.txt");

/// A text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextColumn(pub(super) usize);
/// A 32-bit column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntColumn(pub(super) usize);
/// A 64-bit column; timestamps are 64 bits of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongColumn(pub(super) usize);
/// A true-or-false column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagColumn(pub(super) usize);
/// A list: its offsets, shared by all columns below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListColumn(pub(super) usize);
/// A map of text to text: a list of two text columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapColumn {
    pub(super) list: ListColumn,
    pub(super) key: TextColumn,
    pub(super) value: TextColumn,
}

/// The type of one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafType {
    /// UTF-8 text.
    Text,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// Boolean.
    Flag,
    /// Milliseconds since 1970, UTC.
    Time,
    /// Text to text.
    Map,
    /// A decimal number: its digits in all, and those behind the point.
    Decimal(u8, i8),
}

impl LeafType {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::Text,
            "int" => Self::Int,
            "bigint" => Self::Long,
            "boolean" => Self::Flag,
            "timestamp" => Self::Time,
            "map<string,string>" => Self::Map,
            "decimal(3,1)" => Self::Decimal(3, 1),
            "decimal(9,6)" => Self::Decimal(9, 6),
            _ => return None,
        })
    }

    /// Returns the Arrow type a leaf of this kind has in every file.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Flag => DataType::Boolean,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Map => DataType::Map(
                Arc::new(Field::new(
                    "key_value",
                    DataType::Struct(Fields::from(vec![
                        Field::new("key", DataType::Utf8, false),
                        Field::new("value", DataType::Utf8, true),
                    ])),
                    false,
                )),
                false,
            ),
        }
    }
}

/// One line of the list.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The OCSF path, `[]` after each list.
    pub path: String,
    /// Its type.
    pub leaf_type: LeafType,
    /// People look for one value of it: it gets a bloom filter.
    pub needle: bool,
    /// Its values hardly repeat: a dictionary would be built for nothing.
    pub unique: bool,
    /// What it holds, as the list says.
    pub meaning: String,
}

/// Where a column's values come from when a batch is finished.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(usize),
    Int(usize),
    Long(usize),
    Time(usize),
    Flag(usize),
    Decimal(u8, i8, usize),
    Struct(Fields, Vec<Self>),
    List(Arc<Field>, usize, Box<Self>),
    Map(usize, usize, usize),
}

/// What is wrong with a list of columns.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the column list: {what}")]
pub struct SchemaError {
    line: usize,
    what: String,
}

/// The columns of one table family.
#[derive(Debug, Clone)]
pub struct TableSchema {
    /// The leaves in file order.
    pub leaves: Vec<Leaf>,
    /// The Arrow schema of every file.
    pub arrow: SchemaRef,
    pub(super) roots: Vec<Node>,
    pub(super) counts: Counts,
}

/// How many columns of each kind there are; also the next free slot while reading.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) text: usize,
    pub(super) int: usize,
    pub(super) long: usize,
    pub(super) flag: usize,
    pub(super) decimal: usize,
    pub(super) list: usize,
}

/// A name below which further names come, while the list is read.
struct Draft {
    name: String,
    is_list: bool,
    list: usize,
    leaf: Option<(LeafType, usize)>,
    children: Vec<Self>,
}

impl TableSchema {
    /// Reads a list of columns.
    ///
    /// # Errors
    /// A line without a path and a known type, or a name used as both leaf and struct.
    pub fn read(list: &str) -> Result<Self, SchemaError> {
        let mut leaves = Vec::new();
        let mut drafts = Vec::new();
        let mut counts = Counts::default();
        for (number, line) in list.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| SchemaError { line: number + 1, what: what.to_owned() };
            let leaf = read_leaf(line).ok_or_else(|| wrong("want a path, a type and its meaning"))?;
            insert(&mut drafts, &leaf.path, leaf.leaf_type, &mut counts).map_err(wrong)?;
            leaves.push(leaf);
        }
        let (fields, roots): (Vec<Field>, Vec<Node>) = drafts.iter().map(Draft::node).unzip();
        Ok(Self { leaves, arrow: Arc::new(Schema::new(fields)), roots, counts })
    }
}

fn read_leaf(line: &str) -> Option<Leaf> {
    let mut words = line.split_whitespace().peekable();
    let path = words.next()?.to_owned();
    let leaf_type = LeafType::of(words.next()?)?;
    let needle = words.next_if_eq(&"needle").is_some();
    let unique = words.next_if_eq(&"unique").is_some();
    Some(Leaf { path, leaf_type, needle, unique, meaning: words.collect::<Vec<_>>().join(" ") })
}

fn insert(
    drafts: &mut Vec<Draft>,
    path: &str,
    leaf_type: LeafType,
    counts: &mut Counts,
) -> Result<(), &'static str> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let name = head.trim_end_matches("[]");
    let is_list = head.ends_with("[]");
    let found = drafts.iter().position(|draft| draft.name == name);
    let at = found.unwrap_or_else(|| {
        let list = counts.list;
        counts.list += usize::from(is_list || (leaf_type == LeafType::Map && rest.is_none()));
        drafts.push(Draft { name: name.to_owned(), is_list, list, leaf: None, children: Vec::new() });
        drafts.len() - 1
    });
    let draft = drafts.get_mut(at).ok_or("no such name")?;
    match rest {
        Some(_) if draft.leaf.is_some() => Err("a leaf cannot have names below it"),
        Some(rest) => insert(&mut draft.children, rest, leaf_type, counts),
        None if found.is_some() => Err("this path stands twice"),
        None => {
            draft.leaf = Some((leaf_type, counts.take(leaf_type)));
            Ok(())
        }
    }
}

impl Counts {
    fn take(&mut self, leaf_type: LeafType) -> usize {
        let (slot, size) = match leaf_type {
            LeafType::Text => (&mut self.text, 1),
            LeafType::Map => (&mut self.text, 2),
            LeafType::Int => (&mut self.int, 1),
            LeafType::Long | LeafType::Time => (&mut self.long, 1),
            LeafType::Flag => (&mut self.flag, 1),
            LeafType::Decimal(..) => (&mut self.decimal, 1),
        };
        *slot += size;
        *slot - size
    }
}

impl Draft {
    fn node(&self) -> (Field, Node) {
        let (data_type, node) = match self.leaf {
            Some((leaf_type, slot)) => (leaf_type.arrow(), self.leaf_node(leaf_type, slot)),
            None => {
                let (fields, nodes): (Vec<Field>, Vec<Node>) = self.children.iter().map(Self::node).unzip();
                let fields = Fields::from(fields);
                (DataType::Struct(fields.clone()), Node::Struct(fields, nodes))
            }
        };
        if !self.is_list {
            return (Field::new(&self.name, data_type, true), node);
        }
        // "element" is the name the Parquet format gives the items of a list.
        let item = Arc::new(Field::new("element", data_type, true));
        let field = Field::new(&self.name, DataType::List(Arc::clone(&item)), true);
        (field, Node::List(item, self.list, Box::new(node)))
    }

    fn leaf_node(&self, leaf_type: LeafType, slot: usize) -> Node {
        match leaf_type {
            LeafType::Text => Node::Text(slot),
            LeafType::Int => Node::Int(slot),
            LeafType::Long => Node::Long(slot),
            LeafType::Time => Node::Time(slot),
            LeafType::Flag => Node::Flag(slot),
            LeafType::Decimal(precision, scale) => Node::Decimal(precision, scale, slot),
            LeafType::Map => Node::Map(self.list, slot, slot + 1),
        }
    }
}

/// Returns the handle of a text column; a path that is not there stops the build. Keep it in a constant, as
/// all handles: at run time this would search the list.
pub const fn text(list: &str, path: &str) -> TextColumn {
    TextColumn(slot(list, path, b"string"))
}
/// Returns the handle of a 32-bit column.
pub const fn int(list: &str, path: &str) -> IntColumn {
    IntColumn(slot(list, path, b"int"))
}
/// Returns the handle of a 64-bit column.
pub const fn long(list: &str, path: &str) -> LongColumn {
    LongColumn(slot(list, path, b"bigint"))
}
/// Returns the handle of a timestamp column.
pub const fn time(list: &str, path: &str) -> LongColumn {
    LongColumn(slot(list, path, b"timestamp"))
}
/// Returns the handle of a true-or-false column.
pub const fn flag(list: &str, path: &str) -> FlagColumn {
    FlagColumn(slot(list, path, b"boolean"))
}
/// Returns the handle of the map at `path`.
pub const fn map(list: &str, path: &str) -> MapColumn {
    let key = slot(list, path, b"map<string,string>");
    MapColumn { list: self::list(list, path), key: TextColumn(key), value: TextColumn(key + 1) }
}
/// Returns the handle of the list that starts at `path` (which ends in `[]`, or names a map).
#[expect(clippy::panic, reason = "runs at compile time only: a wrong path stops the build")]
pub const fn list(list: &str, path: &str) -> ListColumn {
    let (bytes, want) = (list.as_bytes(), path.as_bytes());
    let (mut at, mut count, mut last) = (0, 0, (0, 0));
    while at < bytes.len() {
        let line = Line::at(bytes, at);
        at = line.next;
        if line.path.0 == line.path.1 {
            continue;
        }
        let mut prefix = list_prefix(bytes, &line, line.path.0);
        while prefix.0 != prefix.1 {
            // What is in a list stands together, so the line before knows it or nobody does.
            let is_fresh = !is_below(bytes, last, prefix);
            if is_fresh && same(bytes, prefix, want, (0, want.len())) {
                return ListColumn(count);
            }
            count += is_fresh as usize;
            prefix = if prefix.1 == line.path.1 {
                (line.path.0, line.path.0)
            } else {
                list_prefix(bytes, &line, prefix.1)
            };
        }
        last = line.path;
    }
    panic!("no such list in the list of columns")
}

/// The spans of one line: its path and its type.
struct Line {
    path: (usize, usize),
    leaf_type: (usize, usize),
    next: usize,
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time only, on our own list")]
impl Line {
    const fn at(bytes: &[u8], start: usize) -> Self {
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'\n' {
            end += 1;
        }
        let path = if bytes[start] == b'#' { (start, start) } else { word(bytes, start, end) };
        Self { path, leaf_type: word(bytes, path.1, end), next: end + 1 }
    }
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time only, on our own list")]
const fn word(bytes: &[u8], mut from: usize, end: usize) -> (usize, usize) {
    while from < end && bytes[from] == b' ' {
        from += 1;
    }
    let mut to = from;
    while to < end && bytes[to] != b' ' {
        to += 1;
    }
    (from, to)
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time only, on our own list")]
const fn same(a: &[u8], a_span: (usize, usize), b: &[u8], b_span: (usize, usize)) -> bool {
    let len = a_span.1 - a_span.0;
    if len != b_span.1 - b_span.0 {
        return false;
    }
    let mut at = 0;
    while at < len {
        if a[a_span.0 + at] != b[b_span.0 + at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The next list of a path behind `from`: the path up to and with its `[]`; of a map the whole path; else nothing.
#[expect(clippy::indexing_slicing, reason = "runs at compile time only, on our own list")]
const fn list_prefix(bytes: &[u8], line: &Line, from: usize) -> (usize, usize) {
    let mut at = from;
    while at < line.path.1 {
        if bytes[at] == b']' {
            return (line.path.0, at + 1);
        }
        at += 1;
    }
    if bytes[line.leaf_type.0] == b'm' && from == line.path.0 {
        return line.path;
    }
    (line.path.0, line.path.0)
}

/// Says whether a path starts with a list of another.
const fn is_below(bytes: &[u8], path: (usize, usize), prefix: (usize, usize)) -> bool {
    let len = prefix.1 - prefix.0;
    path.1 - path.0 >= len && same(bytes, (path.0, path.0 + len), bytes, prefix)
}

#[expect(clippy::panic, reason = "runs at compile time only: a wrong path stops the build")]
const fn slot(list: &str, path: &str, leaf_type: &[u8]) -> usize {
    let (bytes, want) = (list.as_bytes(), path.as_bytes());
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        let line = Line::at(bytes, at);
        at = line.next;
        if line.path.0 == line.path.1 {
            continue;
        }
        let found = same(bytes, line.path, want, (0, want.len()));
        if found && same(bytes, line.leaf_type, leaf_type, (0, leaf_type.len())) {
            return count;
        }
        let (family, size) = family(bytes, line.leaf_type);
        if family == self::family(leaf_type, (0, leaf_type.len())).0 {
            count += size;
        }
    }
    panic!("no column of this path and type in the list of columns")
}

/// The kind of builder a type is filled by, as a letter, and how many of them it takes.
#[expect(clippy::indexing_slicing, reason = "runs at compile time only, on our own list")]
const fn family(bytes: &[u8], leaf_type: (usize, usize)) -> (u8, usize) {
    match (bytes[leaf_type.0], bytes[leaf_type.0 + 1]) {
        (b'm', _) => (b's', 2),
        (b'b', b'i') | (b't', _) => (b'l', 1),
        (first, _) => (first, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handles count lines; the reader builds a tree. Both must name the same slot.
    #[test]
    fn handles_and_reader_agree_on_every_slot() {
        let schema = TableSchema::read(CLOUD_TRAIL).unwrap();
        let mut counts = Counts::default();
        for leaf in &schema.leaves {
            let slot = counts.take(leaf.leaf_type);
            let handle = match leaf.leaf_type {
                LeafType::Text => text(CLOUD_TRAIL, &leaf.path).0,
                LeafType::Int => int(CLOUD_TRAIL, &leaf.path).0,
                LeafType::Long => long(CLOUD_TRAIL, &leaf.path).0,
                LeafType::Time => time(CLOUD_TRAIL, &leaf.path).0,
                LeafType::Flag => flag(CLOUD_TRAIL, &leaf.path).0,
                // No source fills a decimal by its handle.
                LeafType::Decimal(..) => slot,
                LeafType::Map => map(CLOUD_TRAIL, &leaf.path).key.0,
            };
            assert_eq!(handle, slot, "{}", leaf.path);
        }
        assert_eq!(list(CLOUD_TRAIL, "unmapped").0 + 1, schema.counts.list);
    }

    /// `unmapped` is the last of each list of columns, behind lists in lists.
    #[test]
    fn lists_in_lists_count() {
        for columns in [CLOUD_TRAIL, VPC_FLOW, FINDINGS, CONFIGURATION_ITEM] {
            let schema = TableSchema::read(columns).unwrap();
            assert_eq!(list(columns, "unmapped").0 + 1, schema.counts.list);
            assert_eq!(map(columns, "unmapped").value.0 + 1, schema.counts.text);
        }
        assert_eq!(list("a[].b[].c string x\na[].d[] string x\ne[] int x\n", "a[].d[]").0, 2);
        assert_eq!(list("a[].b[].c string x\na[].d[] string x\ne[] int x\n", "e[]").0, 3);
    }

    #[test]
    fn refuses_a_line_without_a_known_type() {
        let error = TableSchema::read("time bigint\nactor.user.uid text\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the column list: want a path, a type and its meaning");
    }
}
