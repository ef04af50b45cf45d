//! What a component is linked with: its grants, `log`, `settings`, and an empty WASI.
//!
//! A linker is made for each component and holds only what that component may use, so the import
//! list is the permission list: what is not in the linker cannot be called.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Result};

use crate::settings::plugins::Grant;

use super::bindings::interfaces;
use super::error::PluginError;
use super::state::State;

/// The package of the host's interfaces.
const PACKAGE: &str = "usher:plugin/";

/// Packages of WASI that are linked, with nothing behind them.
const WASI: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// What an import is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Import {
    /// Every component has it.
    Always,
    /// Part of WASI, linked with an empty context.
    Wasi,
    /// Has to be granted.
    Granted(Grant),
    /// The host does not have it.
    Unknown,
}

/// What the import of that name is.
pub(super) fn classify(import: &str) -> Import {
    if WASI.iter().any(|package| import.starts_with(package)) {
        return Import::Wasi;
    }
    let interface = import.strip_prefix(PACKAGE).map(|rest| rest.split('@').next().unwrap_or(rest));
    match interface {
        Some("types" | "log" | "settings") => Import::Always,
        Some(name) => {
            Grant::ALL.into_iter().find(|grant| grant.name() == name).map_or(Import::Unknown, Import::Granted)
        }
        None => Import::Unknown,
    }
}

/// What a component imports, in order.
///
/// An interface of which only types are used takes no grant: `keystone-admin` speaks of users with
/// the types of `keystone`, and a component that has the one granted must not need the other.
pub(super) fn imports(engine: &Engine, component: &Component) -> Vec<(String, Import)> {
    let has_functions = |item: &ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
        }
        _ => true,
    };
    component
        .component_type()
        .imports(engine)
        .map(|(name, item)| match classify(name) {
            Import::Granted(_) if !has_functions(&item.ty) => (name.to_owned(), Import::Always),
            import => (name.to_owned(), import),
        })
        .collect()
}

/// Links a component with what it was granted.
pub(super) fn link(
    engine: &Engine,
    component: &Component,
    plugin: &str,
    grants: &[Grant],
) -> std::result::Result<InstancePre<State>, PluginError> {
    let unknown = |interface: String| PluginError::UnknownImport { plugin: plugin.to_owned(), interface };
    let imports = imports(engine, component);
    if let Some((interface, _)) = imports.iter().find(|(_, import)| *import == Import::Unknown) {
        return Err(unknown(interface.clone()));
    }
    let missing: Vec<_> = imports
        .iter()
        .filter_map(|(name, import)| match import {
            Import::Granted(grant) if !grants.contains(grant) => Some((name, *grant)),
            _ => None,
        })
        .collect();
    if let Some((interface, _)) = missing.first() {
        let mut needed: Vec<_> =
            grants.iter().copied().chain(missing.iter().map(|(_, grant)| *grant)).collect();
        needed.sort_unstable();
        needed.dedup();
        return Err(PluginError::NotGranted {
            plugin: plugin.to_owned(),
            interface: (*interface).clone(),
            grants: needed,
        });
    }
    let linker = linker(engine, grants).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
    linker
        .instantiate_pre(component)
        .map_err(|error| unknown(format!("an interface in a form of its own ({error:#})")))
}

fn linker(engine: &Engine, grants: &[Grant]) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    interfaces::types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    interfaces::log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    interfaces::settings::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    for grant in grants {
        let linker = &mut linker;
        match grant {
            Grant::Keystone => {
                interfaces::keystone::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::KeystoneAdmin => {
                interfaces::keystone_admin::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::Mail => interfaces::mail::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Grant::Sheet => interfaces::sheet::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Grant::Token => interfaces::token::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
        }
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmtime::Store;
    use wasmtime_wasi::WasiCtx;

    use super::super::state::Profile;
    use super::*;
    use crate::settings::plugins::Limits;

    #[test]
    fn an_interface_is_known_by_its_name_in_any_version() {
        assert_eq!(classify("usher:plugin/log@0.1.0"), Import::Always);
        assert_eq!(classify("usher:plugin/keystone@0.1.7"), Import::Granted(Grant::Keystone));
        assert_eq!(classify("usher:plugin/keystone-admin@0.1.0"), Import::Granted(Grant::KeystoneAdmin));
        assert_eq!(classify("wasi:cli/stdout@0.2.6"), Import::Wasi);
        assert_eq!(classify("wasi:http/outgoing-handler@0.2.0"), Import::Unknown);
        assert_eq!(classify("usher:plugin/shell@0.1.0"), Import::Unknown);
        assert_eq!(classify("evil:plugin/log@0.1.0"), Import::Unknown);
    }

    /// Asks WASI for the environment, the arguments and the opened folders as it starts, and traps where it gets
    /// any.
    const CURIOUS: &str = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance $environment
            (export "get-environment" (func (result (list (tuple string string)))))
            (export "get-arguments" (func (result (list string))))))
        (import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
        (alias export $types "descriptor" (type $descriptor))
        (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
            (alias outer 1 $descriptor (type $outer))
            (export "descriptor" (type $own (eq $outer)))
            (export "get-directories" (func (result (list (tuple (own $own) string)))))))
        (core module $memory
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
        (core instance $memory (instantiate $memory))
        (core func $variables (canon lower (func $environment "get-environment")
            (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
        (core func $arguments (canon lower (func $environment "get-arguments")
            (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
        (core func $folders (canon lower (func $preopens "get-directories")
            (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
        (core module $start
            (import "wasi" "variables" (func $variables (param i32)))
            (import "wasi" "arguments" (func $arguments (param i32)))
            (import "wasi" "folders" (func $folders (param i32)))
            (import "memory" "memory" (memory 1))
            (func $must-be-empty (if (i32.load (i32.const 4)) (then unreachable)))
            (func $start
                (call $variables (i32.const 0)) (call $must-be-empty)
                (call $arguments (i32.const 0)) (call $must-be-empty)
                (call $folders (i32.const 0)) (call $must-be-empty))
            (start $start))
        (core instance (instantiate $start
            (with "wasi" (instance
                (export "variables" (func $variables))
                (export "arguments" (func $arguments))
                (export "folders" (func $folders))))
            (with "memory" (instance $memory)))))"#;

    async fn start(component: &str, wasi: Option<WasiCtx>) -> Result<()> {
        let engine = Engine::new(&crate::plugin::config())?;
        let component = Component::new(&engine, wat::parse_str(component).unwrap())?;
        let profile = Profile {
            name: "curious".to_owned(),
            sender: "curious".to_owned(),
            limits: Limits::default(),
            settings: Vec::new(),
            files: None,
            capabilities: Arc::default(),
        };
        let mut state = State::new(Arc::new(profile));
        if let Some(wasi) = wasi {
            state.wasi = wasi;
        }
        let mut store = Store::new(&engine, state);
        store.set_epoch_deadline(1);
        linker(&engine, &[])?.instantiate_async(&mut store, &component).await?;
        Ok(())
    }

    #[tokio::test]
    async fn wasi_is_there_and_has_nothing_in_it() {
        start(CURIOUS, None).await.unwrap();
        let telling = || WasiCtx::builder().env("HOME", "/root").build();
        assert!(start(CURIOUS, Some(telling())).await.is_err(), "the component sees what is there");
        let telling = || WasiCtx::builder().arg("usher").build();
        assert!(start(CURIOUS, Some(telling())).await.is_err());
    }
}
