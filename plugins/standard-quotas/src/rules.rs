//! The site's rules: everything that the settings say, and what is wrong with them.

use usher_plugin::settings::Settings;

use crate::auto_approve::{self, AutoApproval};
use crate::ceilings::{self, Ceilings};
use crate::defaults::{self, Defaults};
use crate::keys;
use crate::similar::nearest;
use crate::sizes::{self, Sizes};

const KNOWN: [&str; 6] =
    [defaults::TABLE, defaults::SIZE, sizes::TABLE, ceilings::TABLE, ceilings::OVER, auto_approve::TABLE];

/// The site's rules.
#[derive(Debug)]
pub struct Rules {
    /// What a new project gets.
    pub defaults: Defaults,
    /// Bundles of limits.
    pub sizes: Sizes,
    /// The most that a request gets.
    pub ceilings: Ceilings,
    /// What is granted without people; none where nothing is.
    pub auto_approval: Option<AutoApproval>,
    /// What is wrong with the settings.
    pub notices: Vec<String>,
}

impl Rules {
    /// Reads the settings. What cannot be used is a notice, and never widens what is granted.
    pub fn read(settings: &Settings) -> Self {
        let mut notices = Vec::new();
        let sizes = Sizes::read(settings, &mut notices);
        let defaults = Defaults::read(settings, &sizes, &mut notices);
        let mut ceilings = Ceilings::read(settings, &mut notices);
        let auto_approval = AutoApproval::read(settings, &sizes, &mut notices);
        for (key, _) in settings.iter() {
            let name = key.split('.').next().unwrap_or(key);
            if KNOWN.contains(&name) {
                continue;
            }
            let mut notice = format!("the plugin's setting `{key}` is unknown");
            match nearest(name, KNOWN) {
                Some(meant) => notice.push_str(&format!(" (did you mean `{meant}`?)")),
                None if keys::find(name).is_ok() || name == "ram_gb" => {
                    notice.push_str(&format!("; quotas belong into `{}` or another table", defaults::TABLE));
                }
                None => notice.push_str(&format!("; there are {}", KNOWN.join(", "))),
            }
            if nearest(name, KNOWN) == Some(ceilings::TABLE) {
                ceilings.distrust();
                notice.push_str("; until it is mended, a request raises no quota");
            }
            notices.push(notice);
        }
        Self { defaults, sizes, ceilings, auto_approval, notices }
    }
}

#[cfg(test)]
mod tests {
    use usher_plugin::settings::Value;

    use super::*;
    use crate::ceilings::Most;
    use crate::tests::settings;

    #[test]
    fn a_setting_that_means_nothing_is_named_with_what_was_meant() {
        for (key, part) in [
            ("new_projects.cores", "`new_projects.cores` is unknown (did you mean `new_project`?)"),
            ("cores", "`cores` is unknown; quotas belong into `new_project` or another table"),
            (
                "whatever",
                "there are new_project, new_project_size, sizes, ceilings, over_ceiling, auto_approve",
            ),
        ] {
            let rules = Rules::read(&settings(&[(key, Value::Integer(4))]));
            assert!(rules.notices.len() == 1 && rules.notices[0].contains(part), "{:?}", rules.notices);
            assert_eq!(rules.ceilings.most("cores", Some(1)), Most::Limit(-1));
        }
    }

    #[test]
    fn a_misspelt_table_of_ceilings_lets_nothing_through() {
        let rules = Rules::read(&settings(&[("ceiling.cores", Value::Integer(4))]));
        assert_eq!(rules.ceilings.most("cores", Some(1)), Most::Unreadable);
        assert!(rules.notices[0].contains("did you mean `ceilings`?"), "{:?}", rules.notices);
    }

    #[test]
    fn without_settings_there_is_nothing_to_say() {
        let rules = Rules::read(&Settings::default());
        assert!(rules.notices.is_empty() && rules.auto_approval.is_none());
    }
}
