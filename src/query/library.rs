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
    /// The file.
    pub sql: &'static str,
}

const FILES: [&str; 4] = [
    include_str!("../../queries/investigations/key_activity.sql"),
    include_str!("../../queries/investigations/who_changed_resource.sql"),
    include_str!("../../queries/investigations/denied_calls.sql"),
    include_str!("../../queries/investigations/sign_ins.sql"),
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

/// A file without id and title is no question; a test reads them all.
fn read(sql: &'static str) -> Option<Question> {
    let mut params = Vec::new();
    let (mut id, mut title) = (None, None);
    for line in sql.lines().map_while(|line| line.strip_prefix("-- ")) {
        let (key, value) = line.split_once(':')?;
        match (key.trim(), value.trim()) {
            ("id", value) => id = Some(value),
            ("title", value) => title = Some(value),
            ("param", value) => {
                let (name, meaning) = value.split_once(' ').unwrap_or((value, ""));
                params.push((name, meaning.trim()));
            }
            _ => {}
        }
    }
    Some(Question { id: id?, title: title?, params, sql })
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
            assert!(body.contains("time >= $window_start"), "{}", question.id);
            assert!(body.contains("time < $window_end"), "{}", question.id);
        }
    }

    #[test]
    fn an_unknown_id_is_answered_with_the_known_ones() {
        let error = question("key_activty").unwrap_err().to_string();
        assert!(error.contains("key_activity"), "{error}");
    }
}
