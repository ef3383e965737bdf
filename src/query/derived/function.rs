//! The functions that derived tables are computed with.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, ListArray, ListBuilder, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::prelude::SessionContext;

use super::lease::{Lease, leases};
use super::resource::{NAMES_MAX, Place, READ_NAMES_MAX, canonical, named_in};
use super::{agent, last_ids};
use crate::query::function::by_column;

static LEASE: LazyLock<Fields> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Fields::from(vec![
        text("ip"),
        Field::new("is_public", DataType::Boolean, true),
        text("vpc"),
        text("interface"),
        text("instance"),
    ])
});

/// Adds them to a session.
pub(in crate::query) fn register(context: &SessionContext) {
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    for function in [
        by_column("resource_uid", 1, DataType::Utf8, |args| {
            map(args, |text| Some(Cow::Owned(canonical(text))))
        }),
        by_column("agent_family", 1, DataType::Utf8, |args| map(args, |text| Some(agent::family(text)))),
        by_column("network_of", 1, DataType::Utf8, |args| map(args, network)),
        by_column("touched", 7, list(DataType::Utf8), touched),
        by_column("address_leases", 2, list(DataType::Struct(LEASE.clone())), address_leases),
    ] {
        context.register_udf(function);
    }
    context.register_udaf(last_ids::last_ids());
}

fn texts(args: &[ArrayRef], at: usize) -> Result<StringArray> {
    let array = args.get(at).ok_or_else(|| exec_datafusion_err!("argument {} is missing", at + 1))?;
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Answers each text once: few of a column differ.
fn map(args: &[ArrayRef], answer: impl Fn(&str) -> Option<Cow<'_, str>>) -> Result<ArrayRef> {
    let texts = texts(args, 0)?;
    let mut known: HashMap<&str, Option<Cow<'_, str>>> = HashMap::new();
    let mut answers = StringBuilder::new();
    for text in &texts {
        match text {
            None => answers.append_null(),
            Some(text) => answers.append_option(known.entry(text).or_insert_with(|| answer(text)).as_deref()),
        }
    }
    Ok(Arc::new(answers.finish()))
}

/// The network that an address shares with its neighbours: what providers give to one customer at least.
fn network(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Owned(match text.parse().ok()? {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }))
}

/// `touched(service, account, region, request, response, resources, is_read)`.
fn touched(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [service, account, region, request, response] =
        [texts(args, 0)?, texts(args, 1)?, texts(args, 2)?, texts(args, 3)?, texts(args, 4)?];
    let is_read = texts(args, 6)?;
    let resources = args.get(5).ok_or_else(|| exec_datafusion_err!("argument 6 is missing"))?;
    let resources: Option<&ListArray> = resources.as_list_opt();
    let mut answers = ListBuilder::new(StringBuilder::new());
    for row in 0..service.len() {
        let mut found: BTreeSet<String> = BTreeSet::new();
        if let Some(list) = resources.filter(|list| list.is_valid(row)).map(|list| list.value(row)) {
            let uids = list.as_struct_opt().and_then(|list| list.column_by_name("uid").cloned());
            let uids = uids.map(|uids| cast(&uids, &DataType::Utf8)).transpose()?;
            found
                .extend(uids.iter().flat_map(|uids| uids.as_string::<i32>().iter().flatten()).map(canonical));
        }
        // What is null is the empty text.
        let place =
            Place { service: service.value(row), account: account.value(row), region: region.value(row) };
        let max = if is_read.value(row) == "true" { READ_NAMES_MAX } else { NAMES_MAX };
        for json in [&request, &response] {
            if json.is_valid(row) {
                named_in(json.value(row), (place, max), &mut found);
            }
        }
        for uid in found {
            answers.values().append_value(uid);
        }
        answers.append(true);
    }
    Ok(Arc::new(answers.finish()))
}

/// `address_leases(request, response)`.
fn address_leases(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (requests, responses) = (texts(args, 0)?, texts(args, 1)?);
    let rows: Vec<Vec<Lease>> =
        requests.iter().zip(&responses).map(|(request, response)| leases(request, response)).collect();
    let all = || rows.iter().flatten();
    let text = |of: fn(&Lease) -> Option<&str>| Arc::new(all().map(of).collect::<StringArray>()) as ArrayRef;
    let mut is_public = BooleanBuilder::new();
    all().for_each(|lease| is_public.append_value(lease.is_public));
    let items = StructArray::new(
        LEASE.clone(),
        vec![
            text(|lease| Some(&lease.ip)),
            Arc::new(is_public.finish()),
            text(|lease| lease.vpc.as_deref()),
            text(|lease| lease.interface.as_deref()),
            text(|lease| lease.instance.as_deref()),
        ],
        None,
    );
    let item = Arc::new(Field::new("item", DataType::Struct(LEASE.clone()), true));
    Ok(Arc::new(ListArray::new(
        item,
        OffsetBuffer::from_lengths(rows.iter().map(Vec::len)),
        Arc::new(items),
        None,
    )))
}
