//! What OCSF 1.1.0 (1.3.0 for data security) demands of the objects that columns hold.
//!
//! Taken from the compiled schemas, for the attributes in the lists of columns. Objects are known by the name of
//! the attribute that holds them, which in these lists says the same as their type.

/// Captions by number from 0 on.
type Captions = &'static [&'static str];

/// What an object must have: all of the first, and one of the second where there are any.
pub(super) fn demands(object: &str) -> (&'static [&'static str], &'static [&'static str]) {
    const NAME: &[&str] = &["name", "uid"];
    match object {
        "account" | "feature" | "idp" | "policy" | "resource" | "resources" | "service" | "sub_technique"
        | "tactic" | "technique" => (&[], NAME),
        "actor" => (&[], &["process", "user", "invoked_by", "session"]),
        "user" | "owner" => (&[], &["account", "name", "uid"]),
        "affected_code" => (&["file"], &[]),
        "affected_packages" => (&["name", "version"], &[]),
        "analytic" => (&["type_id"], NAME),
        "api" => (&["operation"], &[]),
        "attacks" => (&[], &["tactic", "technique", "sub_technique"]),
        "connection_info" => (&["direction_id"], &[]),
        "cve" | "cwe" | "related_events" | "request" => (&["uid"], &[]),
        "cvss" => (&["base_score", "version"], &[]),
        "data_security" => (&[], &["data_lifecycle_state_id", "detection_pattern", "detection_system_id"]),
        "databucket" => (&["type_id"], NAME),
        "epss" => (&["score"], &[]),
        "evidences" => (
            &[],
            &[
                "actor",
                "api",
                "connection_info",
                "data",
                "dst_endpoint",
                "file",
                "process",
                "query",
                "src_endpoint",
            ],
        ),
        "extensions" => (&["name", "uid", "version"], &[]),
        "file" => (&["name", "type_id"], &[]),
        "hashes" => (&["algorithm_id", "value"], &[]),
        "location" => (&[], &["city", "country", "coordinates"]),
        "process" | "parent_process" => (&[], &["pid", "uid"]),
        "query" => (&["hostname"], &[]),
        "remediation" => (&["desc"], &[]),
        "src_endpoint" | "dst_endpoint" => {
            (&[], &["ip", "uid", "hostname", "svc_name", "instance_uid", "interface_uid"])
        }
        "vulnerabilities" => (&[], &["cve", "cwe"]),
        _ => (&[], &[]),
    }
}

/// The enumerations of an object: the number's attribute, its captions, and whether the object needs it.
pub(super) fn enumerations(object: &str) -> &'static [(&'static str, Captions, bool)] {
    match object {
        "hashes" => &[(
            "algorithm_id",
            &["Unknown", "MD5", "SHA-1", "SHA-256", "SHA-512", "CTPH", "TLSH", "quickXorHash"],
            true,
        )],
        "file" => &[("type_id", FILE_TYPES, true)],
        "user" => &[("type_id", &["Unknown", "User", "Admin", "System"], false)],
        "connection_info" => &[
            ("direction_id", &["Unknown", "Inbound", "Outbound", "Lateral"], true),
            ("boundary_id", BOUNDARIES, false),
        ],
        "analytic" => {
            &[("type_id", &["Unknown", "Rule", "Behavioral", "Statistical", "Learning (ML/DL)"], true)]
        }
        "databucket" => &[("type_id", &["Unknown", "S3", "Azure Blob", "GCP Bucket"], true)],
        "data_security" => &[
            ("category_id", CATEGORIES, false),
            (
                "data_lifecycle_state_id",
                &["Unknown", "Data at-Rest", "Data in-Transit", "Data in-Use"],
                false,
            ),
            ("detection_system_id", DETECTION_SYSTEMS, false),
        ],
        "" => &[
            ("confidence_id", &["Unknown", "Low", "Medium", "High"], false),
            ("action_id", &["Unknown", "Allowed", "Denied"], false),
            ("disposition_id", DISPOSITIONS, false),
        ],
        _ => &[],
    }
}

/// `severity_id`.
pub(super) const SEVERITIES: Captions =
    &["Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"];
/// `status_id` of findings.
pub(super) const STATES: Captions = &["Unknown", "New", "In Progress", "Suppressed", "Resolved"];
/// `status_id` of other events.
pub(super) const OUTCOMES: Captions = &["Unknown", "Success", "Failure"];

const FILE_TYPES: Captions = &[
    "Unknown",
    "Regular File",
    "Folder",
    "Character Device",
    "Block Device",
    "Local Socket",
    "Named Pipe",
    "Symbolic Link",
];
const BOUNDARIES: Captions = &[
    "Unknown",
    "Localhost",
    "Internal",
    "External",
    "Same VPC",
    "Internet/VPC Gateway",
    "Virtual Private Gateway",
    "Intra-region VPC",
    "Inter-region VPC",
    "Local Gateway",
    "Gateway VPC",
    "Internet Gateway",
];
const CATEGORIES: Captions = &[
    "Unknown",
    "Personal",
    "Governmental",
    "Financial",
    "Business",
    "Military and Law Enforcement",
    "Security",
];
const DETECTION_SYSTEMS: Captions = &[
    "Unknown",
    "Endpoint",
    "DLP Gateway",
    "Mobile Device Management",
    "Data Discovery & Classification",
    "Secure Web Gateway",
    "Secure Email Gateway",
    "Digital Rights Management",
    "Cloud Access Security Broker",
    "Database Activity Monitoring",
    "Application-Level DLP",
    "Developer Security",
    "Data Security Posture Management",
];
const DISPOSITIONS: Captions = &[
    "Unknown",
    "Allowed",
    "Blocked",
    "Quarantined",
    "Isolated",
    "Deleted",
    "Dropped",
    "Custom Action",
    "Approved",
    "Restored",
    "Exonerated",
    "Corrected",
    "Partially Corrected",
    "Uncorrected",
    "Delayed",
    "Detected",
    "No Action",
    "Logged",
    "Tagged",
    "Alert",
    "Count",
    "Reset",
    "Captcha",
    "Challenge",
    "Access Revoked",
    "Rejected",
    "Unauthorized",
    "Error",
];

/// Returns the caption of a number.
pub(super) fn caption(captions: Captions, id: i64) -> Option<&'static str> {
    captions.get(usize::try_from(id).ok()?).copied()
}

/// `*_id` of what has a caption of the source's own.
pub(super) const OTHER: i64 = 99;

/// Says whether a text says something and is no longer than OCSF's strings are.
pub(super) fn is_string(text: &str) -> bool {
    const STRING_BYTES_MAX: usize = 65_535;
    (1..=STRING_BYTES_MAX).contains(&text.len())
}
