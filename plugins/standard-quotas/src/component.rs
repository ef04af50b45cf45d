//! The component around the policy.

use usher_plugin::quota_policy::{self, QuotaPolicy};
use usher_plugin::settings::Settings;
use usher_plugin::types::{QuotaContext, QuotaDecision};

struct StandardQuotas;

impl QuotaPolicy for StandardQuotas {
    fn decide(context: QuotaContext) -> QuotaDecision {
        crate::decide(&context, &Settings::load())
    }
}

quota_policy::export!(StandardQuotas);
