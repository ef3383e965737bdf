//! Where a record belongs, if it names that in an ARN alone.

use crate::lake::path::{AccountId, Region};

/// Returns the Region and the account in an ARN, if these places hold any: nobody checks what is called an ARN.
pub fn of_arn(arn: &str) -> (Option<String>, Option<String>) {
    let mut parts = arn.split(':').skip(3);
    let is_region = |text: &&str| {
        text.contains('-')
            && text.ends_with(|last: char| last.is_ascii_digit())
            && Region::read(text).is_some()
    };
    let region = parts.next().filter(is_region).map(str::to_owned);
    (region, parts.next().filter(|text| AccountId::read(text).is_some()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_place_in_an_arn_or_none() {
        let check = |arn, region: Option<&str>, account: Option<&str>| {
            assert_eq!(of_arn(arn), (region.map(str::to_owned), account.map(str::to_owned)), "{arn}");
        };
        check("arn:aws:ec2:eu-west-1:111122223333:x/y", Some("eu-west-1"), Some("111122223333"));
        check("arn:aws:s3:::bucket", None, None);
        check("arn:aws::securityhub:us-east-1::product/aws/guardduty", None, None);
        check("", None, None);
    }
}
