//! The size of the files that a program must ship.

use std::path::{Path, PathBuf};

use crate::bench::Bench;
use crate::book::{Book, Subject};
use crate::figure::{Bound, Figure, Goal, Series, number};
use crate::peer::Peer;
use crate::run::{Outcome, clean, tool};

const SHIPPED: &str = "bytes";
const WITHOUT_REDIS: &str = "bytes without Redis";
const NAMED: &str = "bytes of the libraries by name";

/// The bytes of the library for x86-64 before there was a shared store (commit 5d1c21f), built by Rust 1.95.0.
const BEFORE_THE_STORE: f64 = 2_186_144.0;

/// The packages of a new Python environment, which are not shipped.
const OF_THE_ENVIRONMENT: [&str; 5] = ["pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence"];

pub fn measure(bench: &mut Bench) -> Outcome<()> {
    bench.book.note(Subject::Ours, SHIPPED, of_file(&bench.shared_library)?);
    if let Some(library) = bench.peers.get(Peer::NoRedis) {
        bench.book.note(Subject::Ours, WITHOUT_REDIS, of_file(library)?);
    }
    if let Some(program) = bench.peers.get(Peer::Curl) {
        let libraries = loaded(program)?;
        let named = |path: &&PathBuf| ["libcurl", "libssl", "libcrypto", "libcjson"].iter().any(|n| starts(path, n));
        let sum = |files: &mut dyn Iterator<Item = &PathBuf>| files.map(|file| of_file(file)).sum::<Outcome<f64>>();
        let (all, named) = (sum(&mut libraries.iter())?, sum(&mut libraries.iter().filter(named))?);
        bench.book.note(Subject::Curl, SHIPPED, all);
        bench.book.note(Subject::Curl, NAMED, named);
    }
    if let Some(program) = bench.peers.get(Peer::Go) {
        bench.book.note(Subject::Go, SHIPPED, of_file(program)?);
    }
    if let Some(python) = bench.peers.get(Peer::Dtlpy) {
        let packages = tool(clean(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?;
        bench.book.note(Subject::Dtlpy, SHIPPED, of_directory(Path::new(&packages), &OF_THE_ENVIRONMENT)?);
    }
    Ok(())
}

/// The shared libraries that a program loads, without the C library and the compiler's, which ours loads too.
fn loaded(program: &Path) -> Outcome<Vec<PathBuf>> {
    let shown = tool(clean("ldd").arg(program))?;
    let paths = shown.lines().filter_map(|line| line.split_once("=> ")?.1.split_whitespace().next());
    let system = ["libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libresolv.so", "libgcc_s.so"];
    let ours_to_ship = |path: &&str| !system.iter().any(|name| starts(Path::new(path), name));
    paths.filter(ours_to_ship).map(|path| std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))).collect()
}

fn starts(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
}

fn of_file(path: &Path) -> Outcome<f64> {
    std::fs::metadata(path).map(|file| file.len() as f64).map_err(|error| format!("{}: {error}", path.display()))
}

/// All files in it, except those that begin with one of these names.
fn of_directory(path: &Path, without: &[&str]) -> Outcome<f64> {
    let failed = |error| format!("{}: {error}", path.display());
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if without.iter().any(|name| starts(&entry.path(), name)) {
            continue;
        }
        bytes += match entry.file_type().map_err(failed)? {
            kind if kind.is_dir() => of_directory(&entry.path(), &[])?,
            kind if kind.is_file() => of_file(&entry.path())?,
            _ => 0.0,
        };
    }
    Ok(bytes)
}

pub fn goals(book: &Book) -> Vec<Goal> {
    let growth = |with: &str, what, most, needs| Goal {
        what: format!("`libdl_auth.so` {with}, less its size before the shared store"),
        bound: Bound::AtMost(most),
        values: book.get(Subject::Ours, what).iter().map(|bytes| (bytes - BEFORE_THE_STORE) / 1e3).collect(),
        unit: " KB",
        needs,
    };
    vec![
        Goal {
            what: "`libdl_auth.so`, stripped".to_owned(),
            bound: Bound::AtMost(2.25),
            values: book.get(Subject::Ours, SHIPPED).iter().map(|bytes| bytes / 1e6).collect(),
            unit: " MB",
            needs: &[],
        },
        growth("with Redis", SHIPPED, 400.0, &[]),
        growth("without Redis", WITHOUT_REDIS, 60.0, &[Peer::NoRedis]),
    ]
}

pub fn figures(book: &Book) -> Vec<Figure> {
    let series = |subject, what, name: &str| Series::of(subject, vec![book.cell(subject, what, 1e6)]).named(name);
    vec![Figure {
        file: "size",
        title: "What has to be shipped",
        axis: "megabytes (less is better)",
        log: true,
        groups: vec!["files on disk".to_owned()],
        series: vec![
            series(Subject::Ours, SHIPPED, "libdl_auth.so"),
            series(Subject::Ours, WITHOUT_REDIS, "libdl_auth.so without Redis").pale(),
            series(Subject::Curl, NAMED, "libcurl, libssl, libcrypto, libcjson").pale(),
            series(Subject::Curl, SHIPPED, "all libraries that these load"),
            series(Subject::Go, SHIPPED, "a Go program that holds a token"),
            series(Subject::Dtlpy, SHIPPED, "dtlpy and its Python packages"),
        ],
        text: format!(
            "The C library and the compiler's libgcc_s are not counted anywhere, and Python itself is not \
either. The Go program ([main.go](../benches/peers/go/main.go)) is stripped, and holds a token but cannot log in. libcurl \
loads some libraries that TLS does not need. *Without Redis*: the same library, built without the cargo feature `redis`. \
Before the shared store, the library for x86-64 had {before} bytes: a constant, measured once at commit 5d1c21f.",
            before = number(BEFORE_THE_STORE),
        ),
    }]
}
