//! What other services saw of the days of an archive: flow logs, and findings about the incident.
//!
//! Takes the spec of an archive and what was written of it, gives the files that VPC Flow Logs, GuardDuty,
//! Security Hub, Config, Access Analyzer and Macie would have delivered. Promises that equal specs give equal
//! files, and that they agree with the incident.

use super::alarm;
use super::archive::Vault;
use super::error::DemoError;
use super::network::{self, Network};
use super::organization::{BUILD, Organization, PRODUCTION};
use super::spec::{ArchiveSpec, ArchiveSummary, CompanionSummary};
use super::story::Story;
use fastrand::Rng;
use std::path::Path;

/// Adds the other services' files to an archive with an incident; without one there is nothing to see.
///
/// # Errors
///
/// Fails if a file cannot be packed or written.
pub fn write_companions(
    root: &Path,
    spec: &ArchiveSpec,
    archive: &ArchiveSummary,
) -> Result<CompanionSummary, DemoError> {
    let mut summary = CompanionSummary::default();
    let Some(incident) = &archive.incident else {
        return Ok(summary);
    };
    // The archive's own first throws: the same organization again.
    let mut chance = Rng::with_seed(spec.seed);
    let organization = Organization::new(spec, &mut chance);
    let mut vault = Vault::new(root, &organization, chance.fork());
    for account in [BUILD, PRODUCTION] {
        let place = organization.home(account);
        let network = Network::new(organization.account(account), organization.region(place), &mut chance);
        let probe = (account == PRODUCTION).then_some(incident);
        if let Some(instance) = network.front().filter(|_| probe.is_some()) {
            summary.probed_instance.clone_from(&instance.id);
        }
        summary.flows += network::write(&network, (spec, probe), &mut vault, &mut chance)?;
    }
    let story = Story { incident, key: &archive.key_of_interest, instance: &summary.probed_instance };
    let told = alarm::write(&story, &organization.id, &mut vault)?;
    summary.findings = told.findings;
    summary.key_finding = told.key_finding;
    summary.objects = vault.summary.objects;
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::super::write_archive;
    use super::*;

    fn files(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
        let (mut found, mut folders) = (std::collections::BTreeMap::new(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn equal_specs_give_equal_companions_that_know_the_attacker() {
        let spec = ArchiveSpec { events: 8_000, ..ArchiveSpec::demo() };
        let scratch = tempfile::tempdir().unwrap();
        let archive = write_archive(scratch.path(), &spec, |_| {}).unwrap();
        let root = tempfile::tempdir().unwrap();
        let summary = write_companions(root.path(), &spec, &archive).unwrap();
        let first = files(root.path());
        assert_eq!((first.len() as u64, summary.objects > 1000), (summary.objects, true));
        assert_eq!(write_companions(root.path(), &spec, &archive).unwrap(), summary);
        assert_eq!(files(root.path()), first, "same keys, same bytes");
        let mut text = String::new();
        for gzip in first.values() {
            std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(gzip.as_slice()), &mut text)
                .unwrap();
        }
        let incident = archive.incident.unwrap();
        for fact in
            [&incident.attacker_ip, &incident.bucket, &incident.role_session_key, &summary.probed_instance]
        {
            assert!(text.contains(fact.as_str()), "{fact}");
        }
    }
}
