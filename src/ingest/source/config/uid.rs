//! One uid for a rule's findings about a resource, wherever they come from.

/// Returns the uid. `resource` may be an id or an ARN, and `kind` is `AWS::S3::Bucket` or `AwsS3Bucket`: Security
/// Hub writes the one, AWS Config the other, and letters and digits are the same in both.
pub fn finding_uid(rule: &str, kind: Option<&str>, resource: &str) -> String {
    let kind = kind.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric);
    let kind: String = kind.map(|letter| letter.to_ascii_lowercase()).collect();
    format!("{rule}/{kind}/{}", id(resource))
}

/// Returns what names a resource among those of its type. Of an ARN that is the part behind the type; where
/// there are more parts than those two, all of them.
fn id(resource: &str) -> &str {
    let Some(part) = resource.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)) else {
        return resource.strip_prefix("AWS::::Account:").unwrap_or(resource);
    };
    let mut parts = part.split(['/', ':']);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(id), None) => id,
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_two_services_give_one_uid() {
        let rule = "arn:aws:config:eu-west-1:111122223333:config-rule/config-rule-abc123";
        for (ours, theirs) in [
            (("AWS::S3::Bucket", "reports"), ("AwsS3Bucket", "arn:aws:s3:::reports")),
            (
                ("AWS::EC2::Instance", "i-0abc"),
                ("AwsEc2Instance", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0abc"),
            ),
            (
                ("AWS::Lambda::Function", "resize"),
                ("AwsLambdaFunction", "arn:aws:lambda:eu-west-1:111122223333:function:resize"),
            ),
            (("AWS::::Account", "111122223333"), ("AwsAccount", "AWS::::Account:111122223333")),
        ] {
            let uid = |(kind, id)| finding_uid(rule, Some(kind), id);
            assert_eq!(uid(ours), uid(theirs));
        }
        let stage = |name: &str| format!("arn:aws:apigateway:eu-west-1::/restapis/{name}/stages/test");
        assert_ne!(finding_uid(rule, None, &stage("a")), finding_uid(rule, None, &stage("b")));
    }
}
