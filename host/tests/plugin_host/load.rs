//! Which files are taken as components, what they may import, and how a running host replaces one. A host
//! that has refused one then loads and serves a good one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::fixture::{Hostile, component, configured, guest, host, of_file, rows};
use usher::plugin::{ImportAccess, PluginError, PluginHost, World};
use usher::registration::SheetKind;
use usher::settings::plugins::{Grant, Limits, Plugin, Sha256Pin};

fn written(folder: &Path, content: &[u8]) -> PathBuf {
    let file = folder.join("component.wasm");
    fs::write(&file, content).unwrap();
    file
}

/// Has a host refuse a parser, and then serve a good one.
async fn refused(host: &PluginHost, plugin: &Plugin) -> PluginError {
    let error = host.row_parser(plugin).await.err().expect("it is refused");
    serves(host).await;
    error
}

/// Has a host load a good parser anew and serve it.
async fn serves(host: &PluginHost) {
    let parser = host.row_parser(&guest("hostile-rows")).await.unwrap();
    let parsed = parser.parse_rows(SheetKind::Access, &rows(3)).await.unwrap();
    assert_eq!(parsed.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3, 4]);
}

#[tokio::test]
async fn a_file_that_is_no_component_is_refused_with_what_it_is() {
    let host = host(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.wasm");
    assert!(matches!(refused(&host, &of_file(&absent)).await, PluginError::File { .. }));
    assert!(matches!(refused(&host, &of_file(folder.path())).await, PluginError::File { .. }));
    let text = written(folder.path(), b"#!/bin/sh\n");
    assert!(matches!(refused(&host, &of_file(&text)).await, PluginError::NotWasm { .. }));
    let module = written(folder.path(), &wat::parse_str("(module (func (export \"describe\")))").unwrap());
    let error = refused(&host, &of_file(&module)).await;
    assert!(matches!(error, PluginError::CoreModule { .. }), "{error}");
    assert!(error.to_string().contains("wasm32-wasip2"), "{error}");
    let mut cut = fs::read(component("hostile-rows")).unwrap();
    cut.truncate(cut.len() / 2);
    let cut = written(folder.path(), &cut);
    assert!(matches!(refused(&host, &of_file(&cut)).await, PluginError::Invalid { .. }));
}

#[tokio::test]
async fn a_component_for_another_world_is_refused_with_the_world_it_fits() {
    let host = host(Limits::default());
    let error = refused(&host, &configured("busy-job", &Grant::ALL, "")).await;
    let PluginError::WrongWorld { world, missing, fits, .. } = &error else { panic!("{error}") };
    assert_eq!((*world, fits.as_slice()), (World::RowParser, [World::Job].as_slice()));
    assert_eq!(missing, &["the export describe", "the export parse-rows"]);

    let folder = tempfile::tempdir().unwrap();
    let empty = written(folder.path(), &wat::parse_str("(component)").unwrap());
    let error = refused(&host, &of_file(&empty)).await;
    assert!(matches!(&error, PluginError::WrongWorld { fits, .. } if fits.is_empty()), "{error}");

    let text = "(component (core module $m (func (export \"f\") (result i32) i32.const 0)) \
                (core instance $i (instantiate $m)) \
                (func (export \"describe\") (result u32) (canon lift (core func $i \"f\"))))";
    let other_type = written(folder.path(), &wat::parse_str(text).unwrap());
    assert!(matches!(refused(&host, &of_file(&other_type)).await, PluginError::WrongWorld { .. }));
}

#[tokio::test]
async fn an_import_that_was_not_granted_is_refused_with_the_line_to_add() {
    let host = host(Limits::default());
    let error = host.job("busy", &configured("busy-job", &[Grant::Mail], "")).await.err().unwrap();
    let PluginError::NotGranted { interface, grants, .. } = &error else { panic!("{error}") };
    assert!(interface.starts_with("usher:plugin/keystone"), "{interface}");
    assert_eq!(grants, &Grant::ALL, "one line grants everything that is needed");
    let line = "grants = [\"keystone\", \"keystone-admin\", \"mail\", \"sheet\", \"token\"]";
    assert!(error.to_string().contains(line), "{error}");
    serves(&host).await;
}

#[tokio::test]
async fn an_import_that_no_host_has_is_refused() {
    let host = host(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let text = "(component (import \"usher:plugin/shell@0.1.0\" (instance (export \"run\" (func)))))";
    let file = written(folder.path(), &wat::parse_str(text).unwrap());
    let error = refused(&host, &of_file(&file)).await;
    assert!(
        matches!(&error, PluginError::UnknownImport { interface, .. } if interface == "usher:plugin/shell@0.1.0")
    );
    let text = "(component (import \"usher:plugin/log@0.1.0\" (instance (export \"write\" (func)))))";
    let file = written(folder.path(), &wat::parse_str(text).unwrap());
    assert!(matches!(refused(&host, &of_file(&file)).await, PluginError::UnknownImport { .. }));
}

#[tokio::test]
async fn a_pin_admits_one_file_only() {
    let host = host(Limits::default());
    let sha256 = host.row_parser(&guest("hostile-rows")).await.unwrap().sha256();
    let pinned = Plugin { sha256: Some(Sha256Pin(sha256)), ..guest("hostile-rows") };
    assert!(host.row_parser(&pinned).await.is_ok());
    let other = Plugin { sha256: Some(Sha256Pin([7; 32])), ..guest("hostile-rows") };
    let error = refused(&host, &other).await;
    let PluginError::Pin { expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!((expected.as_str(), found.as_str()), ("07".repeat(32).as_str(), hex::encode(sha256).as_str()));
    assert!(error.to_string().contains(expected) && error.to_string().contains(found));
}

#[tokio::test]
async fn replacing_the_file_takes_effect_and_a_bad_file_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parser.wasm");
    fs::copy(component("hostile-rows"), &file).unwrap();
    let host = host(Limits::default());
    let plugin = Plugin { component: file.clone(), ..Hostile::mode("").plugin() };
    let parser = host.row_parser(&plugin).await.unwrap();
    let first = parser.sha256();
    assert_eq!(parser.describe().await.unwrap().access.requests, "Requests");

    for bad in [b"not wasm".to_vec(), wat::parse_str("(component)").unwrap()] {
        fs::write(&file, bad).unwrap();
        assert_eq!(parser.describe().await.unwrap().access.requests, "Requests", "the old one goes on");
        assert_eq!(parser.sha256(), first);
    }
    fs::remove_file(&file).unwrap();
    assert!(parser.describe().await.is_ok(), "a file that is missing stops nothing");

    let replacement = folder.path().join("replacement");
    let mut bytes = fs::read(component("hostile-rows")).unwrap();
    // A custom section named `x` changes the file and nothing else.
    bytes.extend([0, 2, 1, b'x']);
    fs::write(&replacement, bytes).unwrap();
    fs::rename(&replacement, &file).unwrap();
    assert!(parser.parse_rows(SheetKind::Access, &rows(1)).await.is_ok());
    assert_ne!(parser.sha256(), first, "the new one runs");
}

#[tokio::test]
async fn compiled_components_are_kept_and_rebuilt_when_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let inspect = async || {
        let host = PluginHost::isolated(Some(&cache), Limits::default()).unwrap();
        host.inspect(&component("hostile-rows")).await.unwrap().compiled
    };
    assert!(!inspect().await, "compiled the first time");
    assert!(inspect().await, "kept");
    let artifact = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "cwasm"))
        .unwrap();
    let mut bytes = fs::read(&artifact).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    fs::write(&artifact, bytes).unwrap();
    assert!(!inspect().await, "rebuilt");
    assert!(inspect().await, "kept again");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let error = PluginHost::isolated(Some(&cache), Limits::default()).unwrap_err();
    assert!(matches!(error, PluginError::Cache { .. }), "{error}");
}

#[tokio::test]
async fn an_inspection_says_what_a_component_is_and_needs() {
    let host = host(Limits::default());
    let job = host.inspect(&component("busy-job")).await.unwrap();
    assert_eq!(
        (job.worlds.as_slice(), job.grants.as_slice()),
        ([World::Job].as_slice(), Grant::ALL.as_slice())
    );
    let parser = host.inspect(&component("hostile-rows")).await.unwrap();
    assert_eq!((parser.worlds.as_slice(), parser.grant_line()), ([World::RowParser].as_slice(), None));
    assert!(parser.imports.iter().all(|import| import.access != ImportAccess::Granted));
    assert_eq!(parser.exports, ["describe", "parse-rows"]);
    assert_eq!(parser.size, fs::metadata(component("hostile-rows")).unwrap().len());
}
