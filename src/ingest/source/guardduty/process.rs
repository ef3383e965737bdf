//! The processes of findings that watch a machine from inside.

use std::borrow::Cow;

use super::malware;
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::ocsf::class::Class;
use crate::ocsf::event::{Object, Value};

/// OCSF's profile of user ids as Linux has them.
const PROFILE: &str = "linux/linux_users";

/// Adds the processes of a finding: the one that acted to the evidence of its action, and those it acted on.
pub(super) fn add(evidences: &mut Vec<Object>, finding: Item<'_>) {
    let Some(runtime) = finding.get("service.runtimeDetails") else { return };
    let acting = runtime.get("process").and_then(process);
    let target = runtime.get("context.targetProcess").and_then(process);
    let mut first = if evidences.len() == 1 { evidences.remove(0) } else { Object::default() };
    if let Some(acting) = acting {
        first.set("actor.process", Value::Object(acting));
    }
    if let Some(target) = target {
        first.set("process", Value::Object(target));
    }
    evidences.extend(Some(first).filter(|first| !first.is_empty()));
    if let Some(modifying) = runtime.get("context.modifyingProcess").and_then(process) {
        let mut evidence = Object::default();
        evidence.set("process", Value::Object(modifying));
        evidences.push(evidence);
    }
}

/// Names the profile that an event with effective user ids has.
pub(super) fn name_profile(event: &mut Object) {
    let profiles = ["cloud", "datetime", PROFILE];
    event.texts("metadata.profiles", profiles.map(str::to_owned).to_vec());
    let mut extension = Object::default();
    extension.constant("name", "linux");
    extension.constant("uid", "1");
    extension.constant("version", Class::DetectionFinding.version());
    event.objects("metadata.extensions", vec![extension]);
}

/// A process, if OCSF has something to know it by.
fn process(details: Item<'_>) -> Option<Object> {
    let mut process = Object::default();
    process.integer("pid", take::int(details, "pid"));
    process.text("uid", take::text(details, "uuid"));
    if process.is_empty() {
        return None;
    }
    process.text("name", take::text(details, "name"));
    process.integer("created_time_dt", take_time(details, "startTime"));
    process.text("user.name", take::text(details, "user"));
    process.text("user.uid", user_id(details));
    process.integer("euid", take::int(details, "euid"));
    file(&mut process, details);
    parent(&mut process, details);
    Some(process)
}

/// The id of a user is a number here and a text in OCSF.
fn user_id(details: Item<'_>) -> Option<Cow<'static, str>> {
    take::int(details, "userId").map(|id| Cow::Owned(id.to_string()))
}

/// The file it runs. The columns tell the path back, and the hash when it is one.
fn file(process: &mut Object, details: Item<'_>) {
    let Some(file) = malware::file(details, "executablePath", "executableSha256") else { return };
    take::text(details, "executablePath");
    if file.get("hashes").is_some() {
        take::text(details, "executableSha256");
    }
    process.set("file", Value::Object(file));
}

/// The parent, and the paths of all above it. The lineage says more, and stays.
fn parent(process: &mut Object, details: Item<'_>) {
    let parent = take::text(details, "parentUuid");
    let lineage: Vec<Item<'_>> = details.get("lineage").into_iter().flat_map(Item::elements).collect();
    let is_parent = |above: &&Item<'_>| parent.is_some() && take::filled(**above, "uuid") == parent;
    if let Some(above) = lineage.iter().find(is_parent) {
        let pid = above.get("pid").filter(|pid| pid.kind() == Kind::Number);
        let pid = pid.and_then(|pid| pid.json().parse::<i32>().ok());
        process.integer("parent_process.pid", pid.map(i64::from));
        process.text("parent_process.name", take::filled(*above, "name"));
    }
    process.text("parent_process.uid", parent);
    let paths =
        lineage.iter().filter_map(|above| take::filled(*above, "executablePath")).map(Cow::into_owned);
    process.texts("lineage", paths.collect());
}
