//! The names of a resource that a finding can have for it.
//!
//! Takes what a finding says (an ARN, a bare id or name, a type) and gives the ids under which the table of touches may have
//! it, which `resource_uid` in SQL then makes canonical. Promises that what is an ARN already comes first and unchanged.

/// Types of resources as Config and Security Hub name them, in lower case without separators, and the ARN of a bare name:
/// `{a}` is the account, `{r}` the Region, `{n}` the name.
const ARNS: [(&str, &str); 22] = [
    ("s3bucket", "arn:aws:s3:::{n}"),
    ("iamuser", "arn:aws:iam::{a}:user/{n}"),
    ("iamrole", "arn:aws:iam::{a}:role/{n}"),
    ("iamgroup", "arn:aws:iam::{a}:group/{n}"),
    ("iampolicy", "arn:aws:iam::{a}:policy/{n}"),
    ("lambdafunction", "arn:aws:lambda:{r}:{a}:function:{n}"),
    ("kmskey", "arn:aws:kms:{r}:{a}:key/{n}"),
    ("rdsdbinstance", "arn:aws:rds:{r}:{a}:db:{n}"),
    ("rdsdbcluster", "arn:aws:rds:{r}:{a}:cluster:{n}"),
    ("rdsdbsnapshot", "arn:aws:rds:{r}:{a}:snapshot:{n}"),
    ("rdsdbclustersnapshot", "arn:aws:rds:{r}:{a}:cluster-snapshot:{n}"),
    ("dynamodbtable", "arn:aws:dynamodb:{r}:{a}:table/{n}"),
    ("ecrrepository", "arn:aws:ecr:{r}:{a}:repository/{n}"),
    ("snstopic", "arn:aws:sns:{r}:{a}:{n}"),
    ("sqsqueue", "arn:aws:sqs:{r}:{a}:{n}"),
    ("secretsmanagersecret", "arn:aws:secretsmanager:{r}:{a}:secret:{n}"),
    ("cloudtrailtrail", "arn:aws:cloudtrail:{r}:{a}:trail/{n}"),
    ("ekscluster", "arn:aws:eks:{r}:{a}:cluster/{n}"),
    ("ecscluster", "arn:aws:ecs:{r}:{a}:cluster/{n}"),
    ("redshiftcluster", "arn:aws:redshift:{r}:{a}:cluster:{n}"),
    ("guarddutydetector", "arn:aws:guardduty:{r}:{a}:detector/{n}"),
    ("logsloggroup", "arn:aws:logs:{r}:{a}:log-group:{n}"),
];

/// Where a resource is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
}

/// Returns the ids a resource may have.
pub(super) fn ids(uid: &str, kind: Option<&str>, place: Place<'_>) -> Vec<String> {
    let mut ids = vec![uid.to_owned()];
    if uid.starts_with("arn:") {
        return ids;
    }
    // A queue's id is its URL.
    let name = if uid.starts_with("https://") { uid.rsplit('/').next().unwrap_or(uid) } else { uid };
    let kind = plain(kind.unwrap_or_default());
    if let Some((_, arn)) = ARNS.iter().find(|(known, _)| *known == kind) {
        let account = place.account.unwrap_or_default();
        let region = place.region.unwrap_or_default();
        ids.push(arn.replace("{a}", account).replace("{r}", region).replace("{n}", name));
    }
    ids
}

/// `AWS::S3::Bucket` and `AwsS3Bucket` are the same.
fn plain(kind: &str) -> String {
    let letters: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    letters.strip_prefix("aws").map_or(letters.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_arns_by_their_type() {
        let place = Place { account: Some("111122223333"), region: Some("eu-west-1") };
        let check = |uid: &str, kind: &str, expected: &[&str]| {
            assert_eq!(ids(uid, Some(kind), place), expected, "{uid} {kind}");
        };
        check("exports", "AWS::S3::Bucket", &["exports", "arn:aws:s3:::exports"]);
        check("exports", "AwsS3Bucket", &["exports", "arn:aws:s3:::exports"]);
        check("arn:aws:s3:::exports", "AwsS3Bucket", &["arn:aws:s3:::exports"]);
        check("sg-0123456789abcdef0", "AWS::EC2::SecurityGroup", &["sg-0123456789abcdef0"]);
        let queue = "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs";
        check(queue, "AWS::SQS::Queue", &[queue, "arn:aws:sqs:eu-west-1:111122223333:jobs"]);
        check("f", "AWS::Lambda::Function", &["f", "arn:aws:lambda:eu-west-1:111122223333:function:f"]);
    }
}
