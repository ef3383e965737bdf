//! Fills the placeholders in the JSON of a call.
//!
//! Takes a text such as `{"bucketName":"<bucket>"}`, cut once into pieces, and a [`Scene`]: one record's account,
//! Region, time and chance. Gives the text with values in place. Promises that within one record every field but
//! `<uuid>`, `<token>` and `<alnum…>` has one value, so a bucket in the request is the bucket in the resources.
//!
//! Fields: `account region org tail arn user person app noun verb stage object number size day date iso epoch uuid
//! token longkey`, the lengths `hexN upperN alnumN base44`, and every resource of `resources.txt`. Anything else in
//! angle brackets is left as it stands.

use super::chance::{mix, pick};
use super::identifier;
use super::inventory::Inventory;
use super::text::{day, iso, long_date, number, put};
use fastrand::Rng;

const APPS: [&str; 8] = ["orders", "catalog", "billing", "search", "fulfil", "ledger", "media", "signup"];
const NOUNS: [&str; 8] =
    ["customer", "invoice", "shipment", "session", "price", "report", "thumbnail", "payment"];
const VERBS: [&str; 8] = ["import", "export", "resize", "reconcile", "notify", "index", "score", "archive"];
const STAGES: [&str; 4] = ["prod", "prod", "stage", "dev"];

/// The people whom audits list, beside those who act.
pub(super) const PEOPLE: [&str; 16] = [
    "mio.tanaka",
    "aiko.sato",
    "liam.murphy",
    "ines.garcia",
    "noah.fischer",
    "zofia.nowak",
    "ravi.menon",
    "emma.laurent",
    "kofi.mensah",
    "sara.lindqvist",
    "tomas.novak",
    "hana.kim",
    "diego.rojas",
    "amina.haddad",
    "jonas.weber",
    "yuki.mori",
];

/// What one record is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// The twelve digits of the account in which the call is made.
    pub(super) account: &'a str,
    /// The Region in which the call is made.
    pub(super) region: &'a str,
    /// The ARN of the caller.
    pub(super) arn: &'a str,
    /// The name of the caller: a user, a role or a session.
    pub(super) user: &'a str,
    /// When the call is made.
    pub(super) second: i64,
    /// The chance of this record.
    pub(super) token: u64,
    /// What the account owns in this Region.
    pub(super) inventory: &'a Inventory,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Resource(u16),
    List(&'static [&'static str], u64),
    Plain(Plain),
    Letters(Letters, u8),
}

#[derive(Clone, Copy, Debug)]
enum Plain {
    Account,
    Region,
    Org,
    Tail,
    Arn,
    User,
    Object,
    Number,
    Size,
    Day,
    Date,
    Iso,
    Epoch,
    Uuid,
    Token,
    LongKey,
}

#[derive(Clone, Copy, Debug)]
enum Letters {
    Hex,
    Upper,
    Alnum,
    Base64,
}

/// A text cut at its placeholders.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Cuts a text, given the names of the resources in the order of the inventory.
    pub(super) fn parse(text: &str, resources: &[String]) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            plain.push_str(before);
            let field = after.split_once('>').and_then(|(name, tail)| Some((field(name, resources)?, tail)));
            match field {
                Some((piece, tail)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    pieces.push(piece);
                    rest = tail;
                }
                None => {
                    plain.push('<');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Self { pieces }
    }

    /// Appends the text with its fields filled.
    pub(super) fn fill(&self, out: &mut Vec<u8>, scene: &Scene<'_>, rng: &mut Rng) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => put(out, &[text]),
                Piece::Resource(kind) => put(out, &[scene.inventory.pick(*kind, scene.token)]),
                Piece::List(list, salt) => put(out, &[pick(list, mix(scene.token, *salt))]),
                Piece::Letters(letters, length) => write_letters(out, scene, *letters, (*length, rng)),
                Piece::Plain(plain) => plain.write(out, scene, rng),
            }
        }
    }
}

fn write_letters(out: &mut Vec<u8>, scene: &Scene<'_>, letters: Letters, (length, rng): (u8, &mut Rng)) {
    let mut fixed = Rng::with_seed(mix(scene.token, u64::from(length)));
    let length = usize::from(length);
    match letters {
        Letters::Hex => identifier::hex(out, &mut fixed, length),
        Letters::Upper => identifier::upper(out, &mut fixed, length),
        Letters::Alnum => identifier::alnum(out, rng, length),
        Letters::Base64 => identifier::base64(out, &mut fixed, length),
    }
}

impl Plain {
    fn write(self, out: &mut Vec<u8>, scene: &Scene<'_>, rng: &mut Rng) {
        match self {
            Self::Account => put(out, &[scene.account]),
            Self::Region => put(out, &[scene.region]),
            Self::Org => put(out, &["asahi"]),
            Self::Tail => put(out, &[scene.account.get(8..).unwrap_or_default()]),
            Self::Arn => put(out, &[scene.arn]),
            Self::User => put(out, &[scene.user]),
            Self::Object => write_object(out, scene),
            Self::Number => number(out, 1 + mix(scene.token, 40) % 97),
            Self::Size => number(out, 2_000 + mix(scene.token, 41) % 9_000_000),
            Self::Day => day(out, scene.second),
            Self::Date => long_date(out, scene.second),
            Self::Iso => iso(out, scene.second),
            Self::Epoch => number(out, u64::try_from(scene.second).unwrap_or_default() * 1000),
            Self::Uuid => identifier::uuid(out, rng),
            Self::Token => identifier::base64(out, rng, 128),
            Self::LongKey => {
                let key = identifier::long_term_key(scene.account, mix(scene.token, 42));
                put(out, &[&key]);
            }
        }
    }
}

/// Appends the key of an object in one of the layouts that workloads use.
fn write_object(out: &mut Vec<u8>, scene: &Scene<'_>) {
    let chance = mix(scene.token, 50);
    put(out, &[pick(&APPS, mix(scene.token, 1)), "/", pick(&NOUNS, mix(scene.token, 2)), "/"]);
    match chance % 4 {
        0 | 1 => {
            put(out, &["dt="]);
            day(out, scene.second);
            out.push(b'/');
            identifier::uuid(out, &mut Rng::with_seed(mix(scene.token, 54)));
            put(out, &[".parquet"]);
        }
        2 => {
            identifier::hex(out, &mut Rng::with_seed(mix(scene.token, 52)), 24);
            put(out, &[".json"]);
        }
        _ => {
            number(out, mix(scene.token, 53) % 4_000);
            put(out, &["/original.jpg"]);
        }
    }
}

/// Says which field a name in angle brackets means.
fn field(name: &str, resources: &[String]) -> Option<Piece> {
    if let Some(at) = resources.iter().position(|resource| resource == name) {
        return u16::try_from(at).ok().map(Piece::Resource);
    }
    let list = |list: &'static [&'static str], salt| Some(Piece::List(list, salt));
    let plain = |plain| Some(Piece::Plain(plain));
    match name {
        "app" => list(&APPS, 1),
        "noun" => list(&NOUNS, 2),
        "verb" => list(&VERBS, 3),
        "stage" => list(&STAGES, 4),
        "person" => list(&PEOPLE, 5),
        "account" => plain(Plain::Account),
        "region" => plain(Plain::Region),
        "org" => plain(Plain::Org),
        "tail" => plain(Plain::Tail),
        "arn" => plain(Plain::Arn),
        "user" => plain(Plain::User),
        "object" => plain(Plain::Object),
        "number" => plain(Plain::Number),
        "size" => plain(Plain::Size),
        "day" => plain(Plain::Day),
        "date" => plain(Plain::Date),
        "iso" => plain(Plain::Iso),
        "epoch" => plain(Plain::Epoch),
        "uuid" => plain(Plain::Uuid),
        "token" => plain(Plain::Token),
        "longkey" => plain(Plain::LongKey),
        other => letters_of(other),
    }
}

/// Reads a field that says its own length, such as `hex17`.
fn letters_of(name: &str) -> Option<Piece> {
    let digits = name.find(|letter: char| letter.is_ascii_digit())?;
    let (word, length) = name.split_at_checked(digits)?;
    let letters = match word {
        "hex" => Letters::Hex,
        "upper" => Letters::Upper,
        "alnum" => Letters::Alnum,
        "base" => Letters::Base64,
        _ => return None,
    };
    length.parse().ok().map(|length| Piece::Letters(letters, length))
}
