//! The accounts of the organisation, as AWS Organizations knows them.
//!
//! Walks the tree from its roots: accounts of each unit, the path of units to it, and the
//! tags of each account. Calls are few a second, as the API's quotas want, and are tried
//! again by the SDK where it throttles.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::error::{ProvideErrorMetadata, SdkError};

use super::accounts::{Account, put};

/// Units below units, at most: AWS allows five.
const DEPTH_MAX: usize = 16;
/// The API's calls are throttled at a few a second; the SDK waits and asks again so often.
const ATTEMPTS: u32 = 12;

/// Why accounts could not be listed.
#[derive(Debug, thiserror::Error)]
#[error(
    "ask AWS Organizations ({call}): {why}; the management account or a delegated administrator may, with \
     organizations:List* in its policy"
)]
pub struct OrganizationError {
    call: &'static str,
    why: String,
}

fn failed<E, R>(call: &'static str) -> impl FnOnce(SdkError<E, R>) -> OrganizationError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    move |error| {
        let said = error.as_service_error().and_then(|refused| {
            Some(format!("{}: {}", refused.code()?, refused.message().unwrap_or("refused")))
        });
        OrganizationError { call, why: said.unwrap_or_else(|| causes(&error)) }
    }
}

/// What did not even get there: each cause by its first line, without those that say nothing.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        let line = text.lines().next().unwrap_or_default().trim_end_matches(". Attempted:").to_owned();
        if line != "other" && !causes.contains(&line) {
            causes.push(line);
        }
        next = cause.source();
    }
    causes.join(": ")
}

/// Lists all accounts, by id; `told` hears how many there are so far.
///
/// # Errors
/// A call was refused or failed for good.
pub async fn accounts(
    settings: &SdkConfig,
    mut told: impl FnMut(usize),
) -> Result<Vec<Account>, OrganizationError> {
    let retry = RetryConfig::adaptive().with_max_attempts(ATTEMPTS);
    let config = aws_sdk_organizations::config::Builder::from(settings).retry_config(retry).build();
    let client = Client::from_conf(config);
    let mut roots = client.list_roots().into_paginator().send();
    let mut units: Vec<(String, Vec<String>)> = Vec::new();
    while let Some(page) = roots.next().await {
        for root in page.map_err(failed("ListRoots"))?.roots.unwrap_or_default() {
            units.extend(root.id.map(|id| (id, root.name.into_iter().collect())));
        }
    }
    let mut accounts = Vec::new();
    while let Some((unit, path)) = units.pop() {
        list_accounts(&client, (&unit, &path.join("/")), &mut accounts).await?;
        told(accounts.len());
        if path.len() < DEPTH_MAX {
            let below = client.list_organizational_units_for_parent().parent_id(&unit);
            let mut below = below.into_paginator().send();
            while let Some(page) = below.next().await {
                let page = page.map_err(failed("ListOrganizationalUnitsForParent"))?;
                for child in page.organizational_units.unwrap_or_default() {
                    let name = child.name.unwrap_or_default();
                    units.extend(child.id.map(|id| (id, path.iter().cloned().chain([name]).collect())));
                }
            }
        }
    }
    accounts.sort_by(|a, b| a.uid.cmp(&b.uid));
    Ok(accounts)
}

async fn list_accounts(
    client: &Client,
    (unit, path): (&str, &str),
    accounts: &mut Vec<Account>,
) -> Result<(), OrganizationError> {
    let mut members = client.list_accounts_for_parent().parent_id(unit).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = members.next().await {
        found.extend(page.map_err(failed("ListAccountsForParent"))?.accounts.unwrap_or_default());
    }
    for member in found {
        let Some(uid) = member.id else { continue };
        let mut account = Account {
            uid,
            name: member.name,
            ou_path: Some(path.to_owned()),
            email: member.email,
            status: member.status.map(|status| status.as_str().to_owned()),
            ..Account::default()
        };
        let mut tags =
            client.list_tags_for_resource().resource_id(&account.uid).into_paginator().items().send();
        while let Some(tag) = tags.next().await {
            let tag = tag.map_err(failed("ListTagsForResource"))?;
            // A tag cannot say what the organisation says itself.
            match tag.key.to_lowercase().as_str() {
                "owner" | "team" => put(&mut account, &tag.key, &tag.value),
                _ => account.tags.push((tag.key, tag.value)),
            }
        }
        accounts.push(account);
    }
    Ok(())
}
