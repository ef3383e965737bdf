//! The chain as a picture: who, the sessions on the way, the deed, and what was issued besides.
//!
//! Takes an answer, draws boxes from top to bottom with arrows that say how, how sure and when. Promises: every name is whole in
//! the box's title, and cut in the box where it would not fit; at most [`NODES_MAX`] boxes.
//!
//! It is drawn in pixels from top to bottom and not scaled, so that it is as readable on a phone as on paper.

use super::super::answer::{Answer, CauseKind, Confidence, Direction, Edge, Party, RootKind};
use super::page::{Page, Value};
use super::sections::call;
use super::words::{Lang, Word, edge as kind_of_edge, mfa};
use crate::query::format::text::{char_columns, visible};

/// How many boxes are drawn.
const NODES_MAX: usize = 16;

/// The width of the picture.
const WIDTH: u32 = 326;

/// How many columns of text a box has.
const COLUMNS: usize = 42;

/// How much deeper a branch stands.
const INDENT: u32 = 22;

/// The height of an arrow with its words.
const ARROW: u32 = 46;

/// The height of a line of text.
const LINE: u32 = 17;

/// A box.
struct Node {
    class: &'static str,
    /// The first line is bold.
    lines: Vec<String>,
    /// All of it.
    title: String,
    credential: Option<String>,
    /// The box it hangs from, and what is said beside the arrow.
    parent: Option<(usize, Vec<String>)>,
    depth: u32,
}

impl Node {
    const fn height(&self) -> u32 {
        // A box has four lines at most.
        let mut height = 14;
        let mut line = 0;
        while line < self.lines.len() {
            height += LINE;
            line += 1;
        }
        height
    }

    const fn x(&self) -> u32 {
        1 + self.depth * INDENT
    }
}

/// Draws it; an answer that names nobody has no picture.
pub(super) fn draw(page: &mut Page, answer: &Answer, lang: Lang) {
    let nodes = nodes(answer, lang);
    if nodes.is_empty() {
        page.tagged("p", "quiet", Word::NoChain.say(lang));
        return;
    }
    let mut tops = Vec::new();
    let mut y = 1;
    for node in &nodes {
        y += if node.parent.is_some() { ARROW } else { 0 };
        tops.push(y);
        y += node.height();
    }
    let attributes = [
        ("class", Value::Is("chain")),
        ("width", Value::Px(WIDTH)),
        ("height", Value::Px(y + 1)),
        ("role", Value::Is("img")),
        ("aria-label", Value::Is(Word::Chain.say(lang))),
    ];
    page.element("svg", &attributes, |page| {
        page.constant(
            "<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L10 5L0 10z\"/></marker></defs>",
        );
        for (node, top) in nodes.iter().zip(&tops) {
            if let Some((parent, words)) = &node.parent
                && let (Some(of), Some(at)) = (nodes.get(*parent), tops.get(*parent))
            {
                arrow(page, (of, at + of.height()), (node, *top), words);
            }
        }
        for (node, top) in nodes.iter().zip(&tops) {
            block(page, node, *top);
        }
    });
}

fn arrow(page: &mut Page, (from, bottom): (&Node, u32), (to, top): (&Node, u32), words: &[String]) {
    let x = from.x() + 11;
    let path = if to.depth > from.depth {
        format!("M{x} {bottom}V{}H{}", top + to.height() / 2, to.x())
    } else {
        format!("M{x} {bottom}V{top}")
    };
    page.element(
        "path",
        &[("class", Value::Is("arrow")), ("d", Value::Text(path)), ("marker-end", Value::Is("url(#tip)"))],
        |_| {},
    );
    let x = to.x() + if to.depth > from.depth { 4 } else { 24 };
    for (word, line) in words.iter().zip(0..) {
        let y = top - ARROW + 19 + line * 16;
        page.element(
            "text",
            &[("class", Value::Is("how")), ("x", Value::Px(x)), ("y", Value::Px(y))],
            |page| page.text(&fit(word, COLUMNS)),
        );
    }
}

fn block(page: &mut Page, node: &Node, top: u32) {
    page.element("g", &[("class", Value::Is(node.class))], |page| {
        page.element("title", &[], |page| page.text(&node.title));
        page.element(
            "rect",
            &[
                ("x", Value::Px(node.x())),
                ("y", Value::Px(top)),
                ("width", Value::Px(WIDTH - 1 - node.x())),
                ("height", Value::Px(node.height())),
                ("rx", Value::Is("6")),
            ],
            |_| {},
        );
        let columns = COLUMNS - usize::try_from(node.depth * INDENT / 7).unwrap_or_default();
        for (line, number) in node.lines.iter().zip(0..) {
            let class = if number == 0 { "name" } else { "more" };
            page.element(
                "text",
                &[
                    ("class", Value::Is(class)),
                    ("x", Value::Px(node.x() + 10)),
                    ("y", Value::Px(top + 20 + number * LINE)),
                ],
                |page| page.text(&fit(line, columns)),
            );
        }
    });
}

/// Cuts what does not fit in its middle, where names differ least.
fn fit(text: &str, columns_max: usize) -> String {
    let text = visible(text);
    let columns: usize = text.chars().map(char_columns).sum();
    if columns <= columns_max {
        return text.into_owned();
    }
    let half = columns_max.saturating_sub(1) / 2;
    let take = |chars: &mut dyn Iterator<Item = char>| {
        let mut room = half;
        let mut taken = Vec::new();
        for c in chars {
            if char_columns(c) > room {
                break;
            }
            room -= char_columns(c);
            taken.push(c);
        }
        taken
    };
    let head: String = take(&mut text.chars()).into_iter().collect();
    let tail: String = take(&mut text.chars().rev()).into_iter().rev().collect();
    format!("{head}…{tail}")
}

fn nodes(answer: &Answer, lang: Lang) -> Vec<Node> {
    let mut nodes = Vec::new();
    let up: Vec<&Edge> = answer.chain.iter().filter(|edge| edge.direction == Direction::Up).collect();
    nodes.extend(first(answer, up.first().copied(), lang));
    for edge in up {
        push(&mut nodes, edge, (None, 0), lang);
    }
    let down: Vec<&Edge> = answer.chain.iter().filter(|edge| edge.direction == Direction::Down).collect();
    if nodes.is_empty() {
        nodes.extend(down.first().map(|edge| party(&edge.parent, "node")));
    }
    let is_branching = !down.is_empty();
    deed(&mut nodes, answer, is_branching, lang);
    for edge in down {
        let parent = nodes
            .iter()
            .position(|node| node.credential.is_some() && node.credential == edge.parent.credential);
        let depth = parent.and_then(|at| nodes.get(at)).map_or(0, |node| node.depth) + 1;
        push(&mut nodes, edge, (parent, depth.min(3)), lang);
    }
    nodes.truncate(NODES_MAX);
    nodes
}

/// The root; without an edge above, it holds the credential itself.
fn first(answer: &Answer, edge: Option<&Edge>, lang: Lang) -> Option<Node> {
    let root = &answer.root;
    let mut node = match edge {
        Some(edge) => party(&edge.parent, "node root"),
        None if root.kind == RootKind::Unknown && root.id.is_none() => return None,
        None => {
            let of_root = answer.credential.as_ref().map(|used| used.id.clone());
            let party_of = Party {
                actor: root.id.clone(),
                account: root.account.clone(),
                credential: of_root,
                ..Party::default()
            };
            party(&party_of, "node root")
        }
    };
    if root.kind != RootKind::Unknown {
        let name = root.name.as_deref().or(root.id.as_deref());
        if let (Some(name), Some(line)) = (name, node.lines.first_mut()) {
            name.clone_into(line);
        }
        let kind = Word::from(root.kind).say(lang);
        let text = match &root.account {
            Some(account) => format!("{kind} · {account}"),
            None => kind.to_owned(),
        };
        match node.lines.get_mut(1) {
            Some(line) => *line = text,
            None => node.lines.push(text),
        }
        if let Some(id) = &root.id {
            node.title = format!("{id} · {}", node.title);
        }
        let sure = Word::from(root.confidence).say(lang);
        if root.confidence != Confidence::High {
            node.lines.push(sure.to_owned());
        }
    }
    Some(node)
}

fn push(nodes: &mut Vec<Node>, edge: &Edge, (parent, depth): (Option<usize>, u32), lang: Lang) {
    let mut node = party(&edge.child, if edge.direction == Direction::Up { "node" } else { "node down" });
    let mut when: Vec<String> = edge.issued_at.iter().map(|at| at.plain()).collect();
    when.extend(edge.is_mfa.map(|is| mfa(is, lang).to_owned()));
    let how = format!("{} · {}", kind_of_edge(&edge.kind, lang), Word::from(edge.confidence).say(lang));
    let last = nodes.len().checked_sub(1);
    node.parent = parent.or(last).map(|parent| (parent, vec![how, when.join(" · ")]));
    node.depth = depth;
    nodes.push(node);
}

fn deed(nodes: &mut Vec<Node>, answer: &Answer, is_branching: bool, lang: Lang) {
    let Some(cause) = answer.cause.as_ref().filter(|cause| cause.kind != CauseKind::Flow) else { return };
    let Some(what) = call(&cause.line) else { return };
    let count = if cause.line.count > 1 { format!(" ×{}", cause.line.count) } else { String::new() };
    let mut lines = vec![format!("{what}{count}")];
    lines.extend(cause.line.resource.clone());
    lines.extend(cause.line.error.clone());
    let parts: Vec<&str> =
        [&cause.line.account, &cause.line.region].into_iter().filter_map(Option::as_deref).collect();
    lines.push(parts.join(" · "));
    let mut when: Vec<String> = cause.line.time.iter().map(|at| at.plain()).collect();
    when.extend(cause.line.source.clone());
    let how = format!("{} · {}", Word::from(cause.kind).say(lang), Word::from(cause.confidence).say(lang));
    let parent = nodes.len().checked_sub(1).map(|last| (last, vec![how, when.join(" · ")]));
    let depth = if is_branching && parent.is_some() { 1 } else { 0 };
    nodes
        .push(Node { class: "node deed", title: lines.join(" · "), lines, credential: None, parent, depth });
}

fn party(party: &Party, class: &'static str) -> Node {
    let arn = party.actor.as_deref().or(party.principal.as_deref());
    let name = arn.or(party.account.as_deref()).unwrap_or("?");
    let short =
        name.rsplit_once(":assumed-role/").or_else(|| name.rsplit_once('/')).map_or(name, |(_, last)| last);
    let account = arn.and_then(|arn| arn.split(':').nth(4)).filter(|account| !account.is_empty());
    let account = account.or(party.account.as_deref());
    let kind =
        party.identity.as_deref().unwrap_or(if name.contains(":assumed-role/") { "AssumedRole" } else { "" });
    let mut lines = vec![short.to_owned()];
    let second: Vec<&str> =
        [Some(kind).filter(|kind| !kind.is_empty()), account].into_iter().flatten().collect();
    lines.push(second.join(" · "));
    lines.extend(party.credential.clone());
    let title =
        [Some(name), party.credential.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    Node { class, lines, title, credential: party.credential.clone(), parent: None, depth: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(fit("data-export-operator", 11), "data-…rator");
        assert_eq!(fit("足跡足跡足跡", 7), "足…跡");
        assert_eq!(fit("short", 5), "short");
    }
}
