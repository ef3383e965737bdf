//! The questions that come with the program, one file each in `queries/`.
//!
//! Takes an id and gives a statement and what is known of it, read from the
//! header of its file. The files are part of the binary.

use super::error::QueryError;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its name: the name of its file.
    pub id: &'static str,
    /// What it asks, in a line.
    pub title: &'static str,
    /// Its parameters and what they mean.
    pub params: Vec<(&'static str, &'static str)>,
    /// Why it has no bounds in time, where it has none.
    pub unbounded: Option<&'static str>,
    /// The file.
    pub sql: &'static str,
}

const FILES: [&str; 38] = [
    include_str!("../../queries/investigations/key_life.sql"),
    include_str!("../../queries/investigations/principal_life.sql"),
    include_str!("../../queries/investigations/session_life.sql"),
    include_str!("../../queries/investigations/address_life.sql"),
    include_str!("../../queries/investigations/address_holders.sql"),
    include_str!("../../queries/investigations/address_info.sql"),
    include_str!("../../queries/investigations/key_activity.sql"),
    include_str!("../../queries/investigations/usual_for_principal.sql"),
    include_str!("../../queries/investigations/network_prevalence.sql"),
    include_str!("../../queries/investigations/resource_changes.sql"),
    include_str!("../../queries/investigations/account_changes.sql"),
    include_str!("../../queries/investigations/who_changed_resource.sql"),
    include_str!("../../queries/investigations/resource_states.sql"),
    include_str!("../../queries/investigations/resources_named.sql"),
    include_str!("../../queries/investigations/principals_named.sql"),
    include_str!("../../queries/investigations/issued_key.sql"),
    include_str!("../../queries/investigations/issued_session.sql"),
    include_str!("../../queries/investigations/issued_by_key.sql"),
    include_str!("../../queries/investigations/stack_operations.sql"),
    include_str!("../../queries/investigations/event.sql"),
    include_str!("../../queries/investigations/touches_of_event.sql"),
    include_str!("../../queries/investigations/events_between.sql"),
    include_str!("../../queries/investigations/changes_by.sql"),
    include_str!("../../queries/investigations/reads_by.sql"),
    include_str!("../../queries/investigations/matching_calls.sql"),
    include_str!("../../queries/investigations/denied_calls.sql"),
    include_str!("../../queries/investigations/sign_ins.sql"),
    include_str!("../../queries/investigations/finding.sql"),
    include_str!("../../queries/investigations/findings_named.sql"),
    include_str!("../../queries/investigations/latest_finding.sql"),
    include_str!("../../queries/investigations/finding_onset.sql"),
    include_str!("../../queries/investigations/findings_about.sql"),
    include_str!("../../queries/investigations/flows_of_address.sql"),
    include_str!("../../queries/investigations/flows_of_instance.sql"),
    include_str!("../../queries/investigations/log_first_day.sql"),
    include_str!("../../queries/investigations/log_last_day.sql"),
    include_str!("../../queries/investigations/log_span.sql"),
    include_str!("../../queries/investigations/lake_has.sql"),
];

/// Returns every question, in the order in which an investigation asks them.
pub fn questions() -> impl Iterator<Item = Question> {
    FILES.into_iter().filter_map(read)
}

/// Finds a question.
///
/// # Errors
/// There is none of this id.
pub fn question(id: &str) -> Result<Question, QueryError> {
    questions().find(|question| question.id == id).ok_or_else(|| QueryError::NoQuestion {
        id: super::format::text::visible(id).into_owned(),
        known: questions().map(|question| question.id).collect::<Vec<_>>().join(", "),
    })
}

/// Returns the header of a file of SQL: what stands before and behind the colon of its first comment lines.
pub fn header(sql: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = sql.lines().map_while(|line| line.strip_prefix("-- "));
    lines.filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()))
}

/// A file without id and title is no question; a test reads them all.
fn read(sql: &'static str) -> Option<Question> {
    let mut params = Vec::new();
    let (mut id, mut title, mut unbounded) = (None, None, None);
    for line in header(sql) {
        match line {
            ("id", value) => id = Some(value),
            ("title", value) => title = Some(value),
            ("unbounded", value) => unbounded = Some(value).filter(|reason| !reason.is_empty()),
            ("param", value) => {
                let (name, meaning) = value.split_once(' ').unwrap_or((value, ""));
                params.push((name, meaning.trim()));
            }
            _ => {}
        }
    }
    Some(Question { id: id?, title: title?, params, unbounded, sql })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_question_with_documented_parameters() {
        assert_eq!(questions().count(), FILES.len());
        for question in questions() {
            assert!(!question.title.is_empty(), "{}", question.id);
            let body: String = question.sql.lines().filter(|line| !line.starts_with("--")).collect();
            for (name, meaning) in &question.params {
                assert!(!meaning.is_empty(), "{}: {name}", question.id);
                assert!(body.contains(&format!("${name}")), "{}: {name}", question.id);
            }
            if question.unbounded.is_none() {
                // Sums of a day lie in the window when any of them does.
                let bounds = [
                    ("time >= $window_start", "time < $window_end"),
                    ("time_dt >= $window_start", "time_dt < $window_end"),
                    ("last_seen >= $window_start", "first_seen < $window_end"),
                    ("issued_at >= $window_start", "issued_at < $window_end"),
                    ("eventday >= $first_day", "eventday <= $last_day"),
                    ("eventday = $day", ""),
                ];
                let is_bounded = |(start, end): &(&str, &str)| body.contains(start) && body.contains(end);
                assert!(bounds.iter().any(is_bounded), "{}", question.id);
            }
        }
    }

    #[test]
    fn an_unknown_id_is_answered_with_the_known_ones() {
        let error = question("key_activty").unwrap_err().to_string();
        assert!(error.contains("key_activity"), "{error}");
    }
}
