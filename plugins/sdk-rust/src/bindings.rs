//! What wit-bindgen makes of the WIT package: the types and the host's functions once, and the exports of each
//! world on top of them.

/// The types, and everything that the host offers.
pub mod host {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "host",
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

/// The world `row-parser`.
pub mod row_parser {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "row-parser",
        with: {
            "usher:plugin/types@0.1.0": crate::bindings::host::usher::plugin::types,
            "usher:plugin/log@0.1.0": crate::bindings::host::usher::plugin::log,
            "usher:plugin/settings@0.1.0": crate::bindings::host::usher::plugin::settings,
        },
        pub_export_macro: true,
        export_macro_name: "export_row_parser",
        default_bindings_module: "::usher_plugin::row_parser",
    });
}

/// The world `quota-policy`.
pub mod quota_policy {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "quota-policy",
        with: {
            "usher:plugin/types@0.1.0": crate::bindings::host::usher::plugin::types,
            "usher:plugin/log@0.1.0": crate::bindings::host::usher::plugin::log,
            "usher:plugin/settings@0.1.0": crate::bindings::host::usher::plugin::settings,
        },
        pub_export_macro: true,
        export_macro_name: "export_quota_policy",
        default_bindings_module: "::usher_plugin::quota_policy",
    });
}

/// The world `mail-templates`.
#[expect(
    clippy::too_many_arguments,
    reason = "the generated exports take flat values, as the canonical ABI has it"
)]
pub mod mail_templates {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "mail-templates",
        with: {
            "usher:plugin/types@0.1.0": crate::bindings::host::usher::plugin::types,
            "usher:plugin/log@0.1.0": crate::bindings::host::usher::plugin::log,
            "usher:plugin/settings@0.1.0": crate::bindings::host::usher::plugin::settings,
        },
        pub_export_macro: true,
        export_macro_name: "export_mail_templates",
        default_bindings_module: "::usher_plugin::mail_templates",
    });
}

/// The world `job`.
#[expect(
    clippy::too_many_arguments,
    reason = "the generated exports take flat values, as the canonical ABI has it"
)]
pub mod job {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "job",
        with: {
            "usher:plugin/types@0.1.0": crate::bindings::host::usher::plugin::types,
            "usher:plugin/log@0.1.0": crate::bindings::host::usher::plugin::log,
            "usher:plugin/settings@0.1.0": crate::bindings::host::usher::plugin::settings,
        },
        pub_export_macro: true,
        export_macro_name: "export_job",
        default_bindings_module: "::usher_plugin::job",
    });
}
