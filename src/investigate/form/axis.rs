//! The timeline as a picture: time from left to right, a lane a kind of deed.
//!
//! Takes an answer, draws the stretch in which what weighs happened. Promises: what lies outside of the stretch is counted below
//! the picture, never dropped in silence; every mark has its lines in its title; it fits any width, since places are per cents.

use std::collections::BTreeMap;

use super::super::answer::{Answer, Direction, Line};
use super::super::moment::Moment;
use super::cut;
use super::page::{Page, Value};
use super::sections::{call, is_severe};
use super::words::{Lang, Word, edge as kind_of_edge};

/// From which weight on a line decides which stretch is shown; the next is tried where too few weigh so much.
const WEIGHTS: [u8; 3] = [10, 5, 0];

/// How many lines must weigh that much.
const WEIGHTY_MIN: usize = 3;

/// Lines so close together, in thousandths of the stretch, are one mark.
const CLOSE: u32 = 12;

/// How many lines a title has.
const TITLE_LINES_MAX: usize = 8;

/// How many characters of each.
const TITLE_CHARS_MAX: usize = 160;

/// The height of a lane.
const LANE: u32 = 42;

/// How wide a letter of a label is, in thousandths of a picture of a thousand pixels.
const LETTER: usize = 7;

/// From which weight on a mark is named.
const NAMED_MIN: u8 = 6;

/// The weight of the cause: it is named first.
const CAUSE_WEIGHT: u8 = 30;

/// How many characters its name has.
const NAME_CHARS_MAX: usize = 32;

/// Thousandths at the left that belong to the lane's own label.
const GUTTER: u32 = 90;

/// The lanes from top to bottom.
const LANES: [(Lane, Word, &str); 6] = [
    (Lane::SignIn, Word::LaneSignIn, "mark sign-in"),
    (Lane::Change, Word::LaneChange, "mark change"),
    (Lane::ReadOut, Word::LaneReadOut, "mark read-out"),
    (Lane::Read, Word::LaneRead, "mark look-up"),
    (Lane::Denied, Word::LaneDenied, "mark refused"),
    (Lane::Finding, Word::LaneFinding, "mark finding"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    SignIn,
    Change,
    ReadOut,
    Read,
    Denied,
    Finding,
}

/// Something at a time.
struct Point {
    lane: Lane,
    at: Moment,
    until: Moment,
    weight: u8,
    name: String,
    said: String,
    count: i64,
}

/// The time that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: i64,
    to: i64,
}

impl Stretch {
    /// Returns where a moment lies, in thousandths.
    fn place(self, at: Moment) -> Option<u32> {
        let at = at.0.as_second();
        let permille = (at - self.from) * 1_000 / (self.to - self.from).max(1);
        u32::try_from(permille).ok().filter(|permille| *permille <= 1_000)
    }
}

/// Draws it; an answer without lines has no picture.
pub(super) fn draw(page: &mut Page, answer: &Answer, lang: Lang) {
    let points = points(answer, lang);
    let Some(stretch) = stretch(&points, answer) else { return };
    let shown: Vec<&Point> = points.iter().filter(|point| stretch.place(point.at).is_some()).collect();
    let lanes: Vec<&(Lane, Word, &str)> =
        LANES.iter().filter(|(lane, _, _)| shown.iter().any(|point| point.lane == *lane)).collect();
    let height = 20 + LANE * u32::try_from(lanes.len()).unwrap_or_default();
    let attributes = [
        ("class", Value::Is("axis")),
        ("width", Value::Is("100%")),
        ("height", Value::Px(height + 36)),
        ("role", Value::Is("img")),
        ("aria-label", Value::Is(Word::Timeline.say(lang))),
    ];
    page.element("svg", &attributes, |page| {
        ticks(page, stretch, height);
        if let Some(at) = answer.cause.as_ref().and_then(|cause| stretch.place(cause.line.time?)) {
            rule(page, "cause", (at, 0, height), |page| page.text(Word::Cause.say(lang)));
            let (class, x) = if at > 500 { ("why left", at - 4) } else { ("why", at + 4) };
            let attributes = [("class", Value::Is(class)), ("x", Value::Permille(x)), ("y", Value::Px(10))];
            page.element("text", &attributes, |page| page.text(Word::Cause.say(lang)));
        }
        for ((lane, word, class), number) in lanes.iter().zip(0..) {
            let top = 16 + number * LANE;
            page.element(
                "line",
                &[
                    ("class", Value::Is("lane")),
                    ("x1", Value::Is("0")),
                    ("x2", Value::Is("100%")),
                    ("y1", Value::Px(top + 27)),
                    ("y2", Value::Px(top + 27)),
                ],
                |_| {},
            );
            page.element(
                "text",
                &[("class", Value::Is("label")), ("x", Value::Is("0")), ("y", Value::Px(top + 12))],
                |page| {
                    page.text(word.say(lang));
                },
            );
            let own: Vec<&Point> = shown.iter().filter(|point| point.lane == *lane).copied().collect();
            marks(page, &own, (stretch, top + 27), (class, lang));
        }
    });
    outside(page, &points, stretch, lang);
}

fn rule(
    page: &mut Page,
    class: &'static str,
    (at, top, bottom): (u32, u32, u32),
    title: impl FnOnce(&mut Page),
) {
    let attributes = [
        ("class", Value::Is(class)),
        ("x1", Value::Permille(at)),
        ("x2", Value::Permille(at)),
        ("y1", Value::Px(top)),
        ("y2", Value::Px(bottom)),
    ];
    page.element("line", &attributes, |page| page.element("title", &[], title));
}

/// The marks of a lane: lines close together are one, and the weightiest that have room are named.
fn marks(
    page: &mut Page,
    points: &[&Point],
    (stretch, y): (Stretch, u32),
    (class, lang): (&'static str, Lang),
) {
    let mut groups: BTreeMap<u32, Vec<&Point>> = BTreeMap::new();
    for point in points {
        if let Some(at) = stretch.place(point.at) {
            groups.entry((at / CLOSE * CLOSE + CLOSE / 2).clamp(8, 992)).or_default().push(point);
        }
    }
    for (at, group) in &groups {
        mark(page, group, (stretch, *at, y), (class, lang));
    }
    let mut named: Vec<(u32, &Point, usize)> = groups
        .iter()
        .filter_map(|(at, group)| {
            let point = group.iter().max_by_key(|point| (point.weight, point.count))?;
            (point.weight >= NAMED_MIN).then_some((*at, *point, group.len()))
        })
        .collect();
    named.sort_by_key(|(_, point, _)| std::cmp::Reverse((point.weight, point.count)));
    let mut taken: Vec<(u32, u32)> = Vec::new();
    for (at, point, count) in named {
        let more = if count > 1 { format!(" +{}", count - 1) } else { String::new() };
        let name = format!("{}{more}", cut(&point.name, NAME_CHARS_MAX, lang));
        let width = u32::try_from(name.chars().count() * LETTER).unwrap_or(u32::MAX);
        let (from, to, class) = if at + width < 1_000 {
            (at, at + width, "said")
        } else {
            (at.saturating_sub(width), at, "said left")
        };
        if from < GUTTER || taken.iter().any(|(start, end)| from < end + 10 && start < &(to + 10)) {
            continue;
        }
        taken.push((from, to));
        let attributes = [("class", Value::Is(class)), ("x", Value::Permille(at)), ("y", Value::Px(y - 12))];
        page.element("text", &attributes, |page| page.text(&name));
    }
}

fn mark(
    page: &mut Page,
    group: &[&Point],
    (stretch, at, y): (Stretch, u32, u32),
    (class, lang): (&'static str, Lang),
) {
    let until = group.iter().filter_map(|point| stretch.place(point.until)).max().unwrap_or(at);
    let count: i64 = group.iter().map(|point| point.count).sum();
    let radius = match count {
        ..=1 => 5,
        2..=9 => 6,
        10..=99 => 8,
        _ => 10,
    };
    page.element("g", &[("class", Value::Is(class))], |page| {
        page.element("title", &[], |page| page.text(&title(group, lang)));
        if until > at + CLOSE {
            let attributes = [
                ("class", Value::Is("span")),
                ("x1", Value::Permille(at)),
                ("x2", Value::Permille(until)),
                ("y1", Value::Px(y)),
                ("y2", Value::Px(y)),
            ];
            page.element("line", &attributes, |_| {});
        }
        let attributes = [("cx", Value::Permille(at)), ("cy", Value::Px(y)), ("r", Value::Px(radius))];
        page.element("circle", &attributes, |_| {});
    });
}

fn title(group: &[&Point], lang: Lang) -> String {
    let mut said: Vec<String> = group
        .iter()
        .take(TITLE_LINES_MAX)
        .map(|point| cut(&point.said, TITLE_CHARS_MAX, lang).into_owned())
        .collect();
    if group.len() > TITLE_LINES_MAX {
        said.push(format!("… {} {}", group.len() - TITLE_LINES_MAX, Word::More.say(lang)));
    }
    said.join(" / ")
}

/// Steps between ticks, in seconds.
const STEPS: [i64; 14] =
    [1, 10, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000];

fn ticks(page: &mut Page, stretch: Stretch, bottom: u32) {
    let span = stretch.to - stretch.from;
    let step = STEPS.into_iter().find(|step| span / step <= 7).unwrap_or(span.max(1));
    let (mut day, mut day_narrow) = (String::new(), String::new());
    let first = stretch.from.div_euclid(step) + 1;
    for number in (first..).take(8) {
        let Ok(at) = jiff::Timestamp::from_second(number * step) else { return };
        let Some(place) = stretch.place(Moment(at)) else { return };
        rule(page, "tick", (place, 0, bottom), |page| page.text(&Moment(at).plain()));
        if !(40..=960).contains(&place) {
            continue;
        }
        let form = if step % 60 == 0 { "%H:%M" } else { "%H:%M:%S" };
        let (of_day, own_day) = (at.strftime(form).to_string(), at.strftime("%m-%d").to_string());
        let is_day = step >= 86_400;
        // Between labels of a wide picture, those of a narrow one are every second.
        let class = if number % 2 == 0 { "time" } else { "time wide" };
        let mut label = |y: u32, text: &str| {
            let attributes =
                [("class", Value::Is(class)), ("x", Value::Permille(place)), ("y", Value::Px(y))];
            page.element("text", &attributes, |page| page.text(text));
        };
        label(bottom + 15, if is_day { &own_day } else { &of_day });
        let is_told = if class == "time" { own_day == day_narrow } else { own_day == day };
        if !is_day && !is_told {
            label(bottom + 30, &own_day);
        }
        if class == "time" {
            day_narrow.clone_from(&own_day);
        }
        day = own_day;
    }
}

/// Which stretch: that of what weighs, with some air on both sides.
fn stretch(points: &[Point], answer: &Answer) -> Option<Stretch> {
    let of_weight = |least: u8| {
        let calls = points.iter().filter(|point| point.lane != Lane::Finding && point.weight >= least);
        let mut moments: Vec<i64> =
            calls.flat_map(|point| [point.at.0.as_second(), point.until.0.as_second()]).collect();
        let is_enough = moments.len() >= 2 * WEIGHTY_MIN || (least == 0 && !moments.is_empty());
        moments.extend(answer.cause.as_ref().and_then(|cause| cause.line.time).map(|at| at.0.as_second()));
        is_enough.then_some(moments)
    };
    let moments = WEIGHTS.into_iter().find_map(of_weight).or_else(|| {
        let all: Vec<i64> = points.iter().map(|point| point.at.0.as_second()).collect();
        (!all.is_empty()).then_some(all)
    })?;
    let (from, to) = (moments.iter().min()?, moments.iter().max()?);
    let air = ((to - from) / 24).max(20);
    // Lanes have their labels at the left.
    Some(Stretch { from: from - 3 * air, to: to + air })
}

fn outside(page: &mut Page, points: &[Point], stretch: Stretch, lang: Lang) {
    let before = points.iter().filter(|point| point.at.0.as_second() < stretch.from).count();
    let after = points.iter().filter(|point| point.at.0.as_second() > stretch.to).count();
    let mut said = Word::Utc.say(lang).to_owned();
    if before + after > 0 {
        said.push_str(&format!(
            " {} {before} {}, {after} {}.",
            Word::Outside.say(lang),
            Word::Earlier.say(lang),
            Word::Later.say(lang)
        ));
    }
    page.tagged("p", "quiet", &said);
}

fn points(answer: &Answer, lang: Lang) -> Vec<Point> {
    let of_cause =
        answer.cause.iter().flat_map(|cause| &cause.line.evidence).filter_map(|one| one.event_id.as_deref());
    let of_cause: Vec<&str> = of_cause.collect();
    let is_cause = |line: &Line| {
        line.evidence.iter().any(|one| one.event_id.as_deref().is_some_and(|id| of_cause.contains(&id)))
    };
    let weighed = answer.timeline.iter().filter_map(|line| {
        let mut point = of_line(line)?;
        point.weight = if is_cause(line) { CAUSE_WEIGHT } else { point.weight };
        Some(point)
    });
    let mut points: Vec<Point> = weighed.collect();
    if let Some(cause) = &answer.cause
        && !answer.timeline.iter().any(is_cause)
        && let Some(mut point) = of_line(&cause.line)
    {
        point.weight = CAUSE_WEIGHT;
        points.push(point);
    }
    let issued =
        answer.chain.iter().filter(|edge| edge.direction == Direction::Up || !edge.evidence.is_empty());
    for edge in issued {
        let is_there = answer.timeline.iter().any(|line| {
            line.evidence.iter().any(|one| edge.evidence.iter().any(|own| own.event_id == one.event_id))
        });
        let Some(at) = edge.issued_at.filter(|_| !is_there) else { continue };
        let child = edge.child.actor.as_deref().or(edge.child.principal.as_deref()).unwrap_or_default();
        let name = kind_of_edge(&edge.kind, lang).to_owned();
        let said = format!("{} {name} {child}", at.plain());
        points.push(Point { lane: Lane::SignIn, at, until: at, weight: 6, name, said, count: 1 });
    }
    for finding in answer.finding.iter().chain(&answer.findings) {
        let Some(at) = finding.first_seen.or(finding.time) else { continue };
        let product = finding.product.as_deref().unwrap_or_default();
        let title = finding.title.as_deref().unwrap_or_default();
        let said = format!("{} {product}: {title}", at.plain());
        let weight = if is_severe(finding) { 9 } else { 4 };
        points.push(Point {
            lane: Lane::Finding,
            at,
            until: at,
            weight,
            name: product.to_owned(),
            said,
            count: 1,
        });
    }
    points.sort_by_key(|point| point.at);
    points
}

fn of_line(line: &Line) -> Option<Point> {
    let at = line.time?;
    let name = line.operation.clone().unwrap_or_default();
    let parts = [
        call(line),
        line.resource.clone(),
        line.error.clone(),
        line.remark.clone().or((line.count > 1).then(|| format!("×{}", line.count))),
        line.source.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(Point {
        lane: lane(line),
        at,
        until: line.last.unwrap_or(at).max(at),
        weight: line.weight,
        name,
        said: format!("{} {}", at.plain(), parts.join(" ")),
        count: line.count.max(1),
    })
}

fn lane(line: &Line) -> Lane {
    let operation = line.operation.as_deref().unwrap_or_default();
    let is_sign_in = operation.starts_with("AssumeRole")
        || matches!(
            operation,
            "ConsoleLogin" | "GetSessionToken" | "GetFederationToken" | "AssumeRoot" | "Authenticate"
        );
    // What is summed up with bytes says them in its remark.
    let is_out =
        operation == "GetObject" || line.remark.as_deref().is_some_and(|said| said.ends_with("bytes out"));
    match line.error {
        Some(_) => Lane::Denied,
        None if is_sign_in => Lane::SignIn,
        None if is_out && line.is_read != Some(false) => Lane::ReadOut,
        None if line.is_read == Some(true) => Lane::Read,
        None => Lane::Change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_in_its_lane() {
        let line = |operation: &str, is_read, error: Option<&str>| Line {
            operation: Some(operation.to_owned()),
            is_read: Some(is_read),
            error: error.map(str::to_owned),
            ..Line::default()
        };
        assert_eq!(lane(&line("AssumeRoleWithSAML", true, None)), Lane::SignIn);
        assert_eq!(lane(&line("AssumeRole", true, Some("AccessDenied"))), Lane::Denied);
        assert_eq!(lane(&line("PutBucketPolicy", false, None)), Lane::Change);
        assert_eq!(lane(&line("ListBuckets", true, None)), Lane::Read);
        assert_eq!(lane(&line("GetObject", true, None)), Lane::ReadOut);
    }

    #[test]
    fn places_are_within_the_stretch() {
        let at = |second| Moment(jiff::Timestamp::from_second(second).unwrap());
        let stretch = Stretch { from: 100, to: 200 };
        assert_eq!(stretch.place(at(100)), Some(0));
        assert_eq!(stretch.place(at(150)), Some(500));
        assert_eq!(stretch.place(at(99)), None);
        assert_eq!(stretch.place(at(300)), None);
    }
}
