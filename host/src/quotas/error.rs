//! Why quotas could not be read or set.

use crate::keystone::KeystoneError;
use crate::registration::QuotaService;

/// Why quotas could not be read or set.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QuotaError {
    /// The cloud does not have the service.
    #[error(
        "the catalog has no {} service in this region and at this interface; \
         see keystone.region and keystone.interface", .0.name()
    )]
    Absent(QuotaService),
    /// The service is in several regions.
    #[error(
        "the catalog has the {} service in several regions: {}; choose one as keystone.region",
        service.name(), regions.join(", ")
    )]
    SeveralRegions {
        /// The service.
        service: QuotaService,
        /// The regions.
        regions: Vec<String>,
    },
    /// The catalog is wrong.
    #[error("the catalog's URL of the {} service is none: {url}", service.name())]
    CatalogUrl {
        /// The service.
        service: QuotaService,
        /// What stands in the catalog.
        url: String,
    },
    /// The service answered that all is well, and has other limits than it was told.
    #[error(
        "the {} service took the call and did not set {}; it may keep its limits elsewhere, as Nova does with unified limits",
        service.name(), keys.join(", ")
    )]
    NotTaken {
        /// The service.
        service: QuotaService,
        /// The limits.
        keys: Vec<String>,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] KeystoneError),
}

impl QuotaError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_passing())
    }

    /// Whether nothing answers where the service should be, so that other calls need not try.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_unreachable())
    }
}
