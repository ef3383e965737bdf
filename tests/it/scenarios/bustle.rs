//! What else goes on around a resource: others who read it, who are refused, who do the same elsewhere.

use super::calls::Call;
use super::story::{Story, at};

impl Story {
    /// Surrounds what a story is about. `own` is a call on it such as the cause is one, `elsewhere` the same on another
    /// resource of the account, `read` a look at it.
    pub(super) fn bustle(&mut self, own: &Call, elsewhere: &Call, read: &Call) {
        let account = self.account.clone();
        let recorder = (account.as_str(), "AWSServiceRoleForConfig", "AWSConfig-Describe");
        let recorder = self.assume_by_service("config.amazonaws.com", at(0, "09:00:00"), recorder);
        for minute in [1, 16, 17, 31, 46, 59] {
            self.did(&recorder, at(0, &format!("10:{minute:02}:09")), read);
        }
        let guest = self.user("guest").from("203.0.113.77");
        self.refused(&guest, at(0, "09:41:10"), own);
        self.refused(&guest, at(0, "10:14:02"), own);
        let subject = "repo:asahi-example/network:ref:refs/heads/main";
        let terraform = (account.as_str(), "terraform-apply", "network-4711");
        let terraform = self.web_identity(at(0, "10:02:00"), terraform, subject);
        for second in [12, 31, 55] {
            self.did(&terraform, at(0, &format!("10:15:{second:02}")), elsewhere);
        }
        self.did(&terraform, at(0, "10:17:00"), read);
    }
}
