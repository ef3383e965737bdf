//! The catalog of API calls that the organization's callers make.
//!
//! Takes `calls.txt`, one call a line, gives [`Call`]s and, for each kind of caller, a menu to choose from by
//! weight. Promises that calls of global services are on the menu only where their records lie, in us-east-1.
//!
//! Not here: who calls (`actor`) and how a call becomes a record (`activity`).

use super::error::DemoError;
use super::template::Template;
use fastrand::Rng;

/// Whether a call only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// `readOnly` is true.
    Read,
    /// `readOnly` is false.
    Write,
}

/// Which trail setting lets an event through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    /// A management event.
    Management,
    /// A data event.
    Data,
}

/// One API call with everything but the caller.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The event source without `.amazonaws.com`.
    pub(super) source: &'static str,
    /// The event name.
    pub(super) name: &'static str,
    /// The API version, empty where the service records none.
    pub(super) version: &'static str,
    /// Whether the call only reads.
    pub(super) access: Access,
    /// Management or data.
    pub(super) category: Category,
    /// The request; empty for null.
    pub(super) request: Template,
    /// The response; empty for null.
    pub(super) response: Template,
    /// The JSON list of resources; empty for none.
    pub(super) resources: Template,
    /// The code and message of the failure that this call is known for.
    pub(super) failure: Option<(&'static str, Template)>,
}

/// The kinds of caller, as the first column of `calls.txt` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// An EC2 instance.
    Instance,
    /// A Lambda function.
    Function,
    /// A container.
    Task,
    /// The configuration recorder.
    Recorder,
    /// A service-linked role that changes things.
    Linked,
    /// The security team's scanner.
    Auditor,
    /// A deployment from the pipeline.
    Deployment,
    /// A person.
    Person,
    /// A build tool with a long-term key.
    Tool,
    /// The root user.
    Root,
    /// CloudTrail acting as itself.
    Trail,
    /// EventBridge acting as itself.
    Schedule,
    /// The delivery of logs, acting as itself.
    Delivery,
    /// Secrets Manager acting on behalf of a session.
    SecretForward,
    /// Athena acting on behalf of a session.
    QueryForward,
    /// A service that does not give its name, acting on behalf of a session.
    InnerForward,
}

impl Caller {
    const LETTERS: &'static str = "iftcgadplrweovqx";
}

/// Calls of one kind of caller, by running weight.
#[derive(Clone, Debug, Default)]
struct Menu {
    total: u32,
    entries: Vec<(u32, usize)>,
}

/// Every call, and who makes it.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    calls: Vec<Call>,
    global: Vec<Menu>,
    regional: Vec<Menu>,
}

impl Catalog {
    /// Reads `calls.txt`, whose fields may name the given kinds of resource.
    ///
    /// # Errors
    ///
    /// Names the first line that does not follow the format.
    pub(super) fn read(resources: &[String]) -> Result<Self, DemoError> {
        let menus = vec![Menu::default(); Caller::LETTERS.len()];
        let mut catalog = Self { calls: Vec::new(), global: menus.clone(), regional: menus };
        for (at, line) in include_str!("calls.txt").lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = || DemoError::Table { file: "calls.txt", line: at + 1 };
            let (callers, weight, call) = parse_call(line, resources).ok_or_else(fault)?;
            catalog.add(callers, weight, call);
        }
        Ok(catalog)
    }

    fn add(&mut self, callers: &str, weight: u32, call: Call) {
        let at = self.calls.len();
        for (letter, (global, regional)) in
            Caller::LETTERS.chars().zip(self.global.iter_mut().zip(&mut self.regional))
        {
            if !callers.contains(letter) {
                continue;
            }
            global.total += weight;
            global.entries.push((global.total, at));
            if !is_global(call.source) {
                regional.total += weight;
                regional.entries.push((regional.total, at));
            }
        }
        self.calls.push(call);
    }

    /// Chooses a call of a caller in a Region; none only if the caller has nothing to do there.
    pub(super) fn choose(&self, caller: Caller, region: &str, rng: &mut Rng) -> Option<&Call> {
        let menus = if region == "us-east-1" { &self.global } else { &self.regional };
        let menu = menus.get(caller as usize).filter(|menu| menu.total > 0)?;
        let throw = rng.u32(0..menu.total);
        let entry = menu.entries.partition_point(|(upto, _)| *upto <= throw);
        menu.entries.get(entry).and_then(|(_, at)| self.calls.get(*at))
    }
}

/// Says whether a service records its calls in us-east-1 only.
fn is_global(source: &str) -> bool {
    matches!(source, "iam" | "organizations" | "cloudfront" | "route53" | "ce" | "billing" | "health")
}

/// Reads one line: the caller letters, the weight and the call.
fn parse_call(line: &'static str, resources: &[String]) -> Option<(&'static str, u32, Call)> {
    let mut parts = line.split('|').map(str::trim);
    let mut words = parts.next()?.split_whitespace();
    let callers = words.next()?;
    let weight = words.next()?.parse().ok()?;
    let (access, category) = match words.next()? {
        "R" => (Access::Read, Category::Management),
        "W" => (Access::Write, Category::Management),
        "D" => (Access::Read, Category::Data),
        "P" => (Access::Write, Category::Data),
        _ => return None,
    };
    let (source, name) = (words.next()?, words.next()?);
    let version = words.next().filter(|version| *version != "-").unwrap_or_default();
    let template = |text: &str| Template::parse(text, resources);
    let request = template(parts.next()?);
    let response = template(parts.next()?);
    let listed = template(&resource_json(parts.next().unwrap_or_default())?);
    let failure = match parts.next().unwrap_or_default() {
        "" => None,
        known => known.split_once(':').map(|(code, message)| (code, template(message))),
    };
    let call =
        Call { source, name, version, access, category, request, response, resources: listed, failure };
    Some((callers, weight, call))
}

/// Spells out `Type=ARN ; Type=ARN` as the JSON of `resources`.
fn resource_json(short: &str) -> Option<String> {
    if short.is_empty() {
        return Some(String::new());
    }
    let mut json = String::from("[");
    for resource in short.split(" ; ") {
        let (kind, arn) = resource.trim().split_once('=')?;
        if json.len() > 1 {
            json.push(',');
        }
        // Objects carry no account: the record does not say who owns them, the bucket does.
        let owner = if kind == "AWS::S3::Object" { "" } else { "\"accountId\":\"<account>\"," };
        let field = if arn.ends_with('/') { "ARNPrefix" } else { "ARN" };
        json.push_str(&format!("{{{owner}\"type\":\"{kind}\",\"{field}\":\"{arn}\"}}"));
    }
    json.push(']');
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::{Caller, Catalog};
    use crate::demo::resource::Patterns;
    use fastrand::Rng;

    #[test]
    fn every_caller_has_something_to_do_somewhere() {
        let patterns = Patterns::read().unwrap();
        let catalog = Catalog::read(&patterns.kinds).unwrap();
        assert!(catalog.global.iter().all(|menu| menu.total > 0));
        let mut rng = Rng::with_seed(1);
        for _ in 0..2_000 {
            let call = catalog.choose(Caller::Auditor, "eu-west-1", &mut rng).unwrap();
            assert_ne!(call.source, "iam", "recorded in us-east-1 only");
        }
    }
}
