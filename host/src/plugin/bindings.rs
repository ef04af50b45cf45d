//! Rust types for the WIT package, generated once.
//!
//! The world `host` holds every interface that the host offers; the worlds of the roles take their
//! types from it, so that a row is the same Rust type wherever it turns up. Nothing outside
//! `plugin/` sees these types: each role and each interface converts them where they enter.

/// Every interface of the host: its types, and the traits that `plugin/host/` implements.
pub mod host {
    wasmtime::component::bindgen!({
        world: "host",
        path: "../wit",
        imports: { default: async | trappable },
    });
}

/// The interfaces, under the names that WIT gives them.
pub use host::usher::plugin as interfaces;

/// The exports of a row parser.
pub mod row_parser {
    wasmtime::component::bindgen!({
        world: "row-parser",
        path: "../wit",
        with: { "usher:plugin": super::interfaces },
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// The exports of a quota policy.
pub mod quota_policy {
    wasmtime::component::bindgen!({
        world: "quota-policy",
        path: "../wit",
        with: { "usher:plugin": super::interfaces },
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// The exports of mail templates.
pub mod mail_templates {
    wasmtime::component::bindgen!({
        world: "mail-templates",
        path: "../wit",
        with: { "usher:plugin": super::interfaces },
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// The exports of a job.
pub mod job {
    wasmtime::component::bindgen!({
        world: "job",
        path: "../wit",
        with: { "usher:plugin": super::interfaces },
        imports: { default: async | trappable },
        exports: { default: async },
    });
}
