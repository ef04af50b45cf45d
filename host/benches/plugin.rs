//! What components cost, against what is wanted of them.
//!
//! Run by `cargo xtask bench`, which builds the components first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use divan::{Bencher, black_box};
use tokio::runtime::Runtime;
use usher::plugin::{PluginHost, RowParser};
use usher::registration::{Row, SheetKind};
use usher::settings::plugins::{Limits, Plugin};

/// Cells of a row of the MOC's access sheet.
const CELLS: usize = 21;

/// Column of the e-mail address.
const EMAIL: usize = 4;

/// Rows of a large sheet.
const MANY: usize = 20_000;

/// How often the comparison measures; the median counts.
const SAMPLES: usize = 25;

fn main() {
    divan::main();
    // Cargo also runs this to see which benchmarks there are.
    if std::env::args().any(|argument| argument == "--bench") {
        compare();
    }
}

#[divan::bench(sample_count = 200, sample_size = 20)]
fn instantiate_and_parse_one_row(bencher: Bencher) {
    let component = Component::named("moc-rows");
    let rows = rows(1);
    bencher.bench_local(|| component.parse(black_box(&rows)));
}

#[divan::bench(sample_count = 15, sample_size = 1)]
fn parse_many_rows_in_the_component(bencher: Bencher) {
    let component = Component::named("moc-rows");
    let rows = rows(MANY);
    bencher.bench_local(|| component.parse(black_box(&rows)));
}

#[divan::bench(sample_count = 15, sample_size = 1)]
fn parse_many_rows_natively(bencher: Bencher) {
    let rows = rows(MANY);
    bencher.bench_local(|| parse_natively(black_box(&rows)));
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn load_a_cached_python_component(bencher: Bencher) {
    let runtime = runtime();
    let host = host();
    let plugin = plugin("python-rows");
    load(&runtime, &host, &plugin);
    bencher.bench_local(|| load(&runtime, &host, black_box(&plugin)));
}

/// What a component does with the host's rows, without one: it gets rows of its own, reads them, and lets them go.
fn parse_natively(rows: &[Row]) -> usize {
    let rows = native(rows);
    match moc_rows::parse_rows(NATIVE_KIND, &rows, moc_rows::Reading::default()) {
        usher_plugin::types::Parsed::Rows(parsed) => black_box(parsed).len(),
        usher_plugin::types::Parsed::Unreadable(reason) => panic!("{reason}"),
    }
}

const NATIVE_KIND: usher_plugin::types::SheetKind = usher_plugin::types::SheetKind::Access;

/// A component that is loaded, with what it takes to call it.
struct Component {
    runtime: Runtime,
    parser: RowParser,
}

impl Component {
    fn named(name: &str) -> Self {
        let runtime = runtime();
        let parser = load(&runtime, &host(), &plugin(name));
        Self { runtime, parser }
    }

    fn parse(&self, rows: &[Row]) -> usize {
        let parsed = self.runtime.block_on(self.parser.parse_rows(SheetKind::Access, rows));
        parsed.expect("the rows have the component's layout").rows.len()
    }
}

fn load(runtime: &Runtime, host: &PluginHost, plugin: &Plugin) -> RowParser {
    runtime.block_on(host.row_parser(plugin)).expect("the component fits")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

fn host() -> PluginHost {
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    PluginHost::isolated(Some(&target().join("bench-cache")), limits).expect("the cache can be used")
}

fn plugin(name: &str) -> Plugin {
    let component = target().join("components").join(name).with_extension("wasm");
    assert!(component.exists(), "{} is missing; run: cargo xtask plugins", component.display());
    Plugin {
        component,
        sha256: None,
        grants: Vec::new(),
        files: None,
        settings: BTreeMap::new(),
        limits: None,
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// The header of the fixtures' access sheet, and that many of its rows, each with every cell and an
/// address of its own: the parser rejects copies.
fn rows(count: usize) -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/access/Form Responses 1.csv");
    let bytes = std::fs::read(&file).expect("the fixture is there");
    let sheet = usher::sheet::exported_rows(&bytes).expect("the fixture is CSV");
    let full: Vec<_> = sheet
        .into_iter()
        .filter(|row| !row.is_blank())
        .map(|mut row| {
            row.cells.resize(CELLS, String::new());
            row.cells
        })
        .collect();
    let copies = full[1..].iter().cycle().take(count).enumerate().map(|(index, cells)| {
        let mut cells = cells.clone();
        cells[EMAIL] = format!("{index}.{}", cells[EMAIL]);
        cells
    });
    (1..)
        .zip(std::iter::once(full[0].clone()).chain(copies))
        .map(|(number, cells)| Row { number, cells })
        .collect()
}

fn native(rows: &[Row]) -> Vec<usher_plugin::types::Row> {
    rows.iter().map(|row| usher_plugin::types::Row { number: row.number, cells: row.cells.clone() }).collect()
}

/// Measures what is wanted, and prints both.
fn compare() {
    let component = Component::named("moc-rows");
    let (one, many) = (rows(1), rows(MANY));
    let guest_types = native(&many);
    let single = median(SAMPLES * 40, || {
        component.parse(&one);
    });
    let inside = median(SAMPLES, || {
        component.parse(&many);
    });
    let natively = median(SAMPLES, || {
        parse_natively(&many);
    });
    let parsing_alone = median(SAMPLES, || {
        black_box(moc_rows::parse_rows(NATIVE_KIND, &guest_types, moc_rows::Reading::default()));
    });
    let (runtime, host, python) = (runtime(), host(), plugin("python-rows"));
    load(&runtime, &host, &python);
    let loaded = median(SAMPLES, || {
        load(&runtime, &host, &python);
    });
    let ratio = inside.as_secs_f64() / natively.as_secs_f64();
    println!(
        "\n{:<52} {:>12} {:>10} {:>7}",
        "compared with what is wanted (medians)", "measured", "wanted", "ratio"
    );
    row("instantiate and parse 1 row", single.as_secs_f64() * 1e6, 50.0, "us");
    row("20,000 rows of 21 cells, component to native", ratio, 3.0, "x");
    row("load a cached Python component", loaded.as_secs_f64() * 1e3, 10.0, "ms");
    println!(
        "20,000 rows took {inside:.1?} in the component, and {natively:.1?} natively, of which {parsing_alone:.1?} \
         without the copy of the rows that either gets ({:.2} times that in the component)",
        inside.as_secs_f64() / parsing_alone.as_secs_f64()
    );
}

fn row(what: &str, measured: f64, wanted: f64, unit: &str) {
    println!("{what:<52} {measured:>9.2} {unit:<2} {wanted:>7.0} {unit:<2} {:>6.2}x", measured / wanted);
}

fn median(samples: usize, mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<_> = (0..samples)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[samples / 2]
}
