//! Tests of the README: its tables match the code, and its commands work in a fresh clone. Also tests the links of all
//! pages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Scratch, as_from_a_shell, header, in_a_clean_environment, library, root, run, script, target};
use dl_auth_gate::{Gate, Settings};
use serde_json::json;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The shell commands of a page: the code blocks in the language `sh`.
fn shell_blocks(page: &str) -> Vec<String> {
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The files that git tracks and that exist. A pattern selects some of them.
fn tracked(pattern: &str) -> Vec<PathBuf> {
    let listed = run(Command::new("git").current_dir(root()).args(["ls-files", "-z", "--", pattern]));
    let paths = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    paths.filter(|path| root().join(path).symlink_metadata().is_ok()).collect()
}

/// A shell in a copy of the repository as `git clone` makes it, with the changes that are not committed. `at` is a
/// directory for the copy.
///
/// The shell has a separate mount namespace, in which the copy is at the path of the repository, with the files
/// that cargo needs to continue. So cargo compiles only what differs from the build of the repository. A file that git
/// does not track is missing in it.
fn shell_in_a_fresh_clone(at: &Path) -> Command {
    let paths = tracked(".");
    for path in &paths {
        let to = at.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(path), &to).unwrap();
    }
    // Keeps the times of files and directories, because cargo compiles again what seems newer.
    for path in paths.iter().flat_map(|path| path.ancestors()) {
        let modified = root().join(path).metadata().unwrap().modified().unwrap();
        fs::File::open(at.join(path)).unwrap().set_modified(modified).unwrap();
    }
    library();
    // Only what cargo needs: the commands must make the library and the files beside it.
    let release = at.join("target/release");
    for directory in [".fingerprint", "build", "deps"] {
        fs::create_dir_all(release.join(directory)).unwrap();
    }
    fs::write(release.join(".cargo-lock"), "").unwrap();
    let mount = "for part in .fingerprint build deps .cargo-lock; do
            mount --bind \"$1/release/$part\" \"$2/target/release/$part\"
        done
        mount --rbind \"$2\" \"$3\"
        cd \"$3\"
        exec bash -e";
    let mut shell = command("unshare");
    shell.args(["--mount", "bash", "-ec", mount, "bash"]);
    shell.arg(target()).arg(at).arg(root()).env_remove("CARGO_TARGET_DIR");
    shell
}

/// A command in the environment of a user's shell.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    as_from_a_shell(in_a_clean_environment(&mut command));
    command
}

#[test]
fn the_table_of_errors_is_the_one_in_the_header() {
    let header = header();
    let defined: Vec<(&str, &str)> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define DL_AUTH_E_")?.split_once(' '))
        .map(|(name, value)| (name, value.trim_matches(['(', ')'])))
        .collect();
    let readme = readme();
    let told: Vec<(&str, &str)> = readme
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| -")?.split('|').map(str::trim);
            let (value, name) = (cells.next()?, cells.next()?);
            Some((name.trim_matches('`').strip_prefix("DL_AUTH_E_")?, value))
        })
        .collect();
    assert_eq!(told.len(), 20);
    let defined: Vec<(&str, &str)> = defined.into_iter().map(|(name, value)| (name, &value[1..])).collect();
    assert_eq!(told, defined);
}

/// The commands of the README that this test does not paste, and the test or program that runs them instead.
const RUN_ELSEWHERE: [(&str, &str); 2] = [
    ("make demo", "make_demo_logs_in_at_the_test_gate_and_at_the_one_that_is_configured"),
    ("make test", "CI"), // this test is a part of `make test`
];

#[test]
fn every_command_works_when_it_is_pasted_in_a_fresh_clone() {
    let program = readme().split_once("<<'END'\n").unwrap().1.split_once("END\n").unwrap().0.to_owned();
    assert_eq!(program.lines().count(), 15, "the README's program is short");
    let process = fs::read_to_string(root().join("docs/process.md")).unwrap();
    let elsewhere = |block: &str| block.lines().all(|line| RUN_ELSEWHERE.iter().any(|(command, _)| *command == line));
    let (left_out, pasted): (Vec<String>, Vec<String>) =
        shell_blocks(&readme()).into_iter().partition(|block| elsewhere(block));
    let left_out = left_out.concat();
    assert_eq!(left_out.lines().collect::<Vec<_>>(), RUN_ELSEWHERE.map(|(command, _)| command));
    assert!(fs::read_to_string(root().join(".ci/run")).unwrap().ends_with("\nmake test\n"), "CI runs `make test`");
    let (install, login) = (pasted[0].as_str(), pasted[1].as_str());
    assert_eq!(pasted.len(), 2, "{pasted:?}");
    assert!(login.contains("read -r DL_AUTH_USERNAME") && login.contains("read -rs DL_AUTH_PASSWORD"), "{login}");
    let static_archive = shell_blocks(&process);
    assert_eq!(static_archive.len(), 1, "{static_archive:?}");

    let gate = Gate::start();
    let scratch = Scratch::new("clone");
    let Settings { username, password, .. } = Settings::default();
    // The shell and the program read the user's input from the standard input, as in a terminal.
    let login = [login, &username, "\n", &password, "\n"].concat();
    let typed = [install, &login, &static_archive[0], &login, "env | grep '^DL_AUTH_PASS' || echo end\n"].concat();
    let mut bash = shell_in_a_fresh_clone(&scratch.0);
    bash.env("DL_AUTH_URL", gate.url()).env("DL_AUTH_CA_FILE", gate.ca_file());
    let mut shell = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && told.ends_with("end\n"), "{}\n{told}\n{errors}", output.status);
    assert_eq!(told.matches("Authorization: Bearer eyJ").count(), 2, "{told}\n{errors}");
    assert!(!told.contains(&password) && !errors.contains(&password), "{told}\n{errors}");
    assert_eq!(gate.counts().logins, 2, "one login of the shared library, and one of the static archive");
}

/// The tests of the bindings run the commands of the pages. So this test only compares the README with the pages.
#[test]
fn each_install_command_of_a_binding_is_on_its_page() {
    let readme = readme();
    let table = readme.split_once("| language | install |\n|---|---|\n").unwrap().1.split_once("\n\n").unwrap().0;
    assert_eq!(table.lines().count(), 5);
    for row in table.lines() {
        let (link, cell) = row.trim_matches('|').split_once('|').unwrap();
        let path = link.split_once("](").unwrap().1.split_once(')').unwrap().0;
        let page = fs::read_to_string(root().join(path)).unwrap();
        for command in cell.trim().split("<br>").map(|command| command.trim_matches('`')) {
            assert!(page.contains(&format!("\n{command}\n")), "{path} has no line: {command}");
        }
    }
}

/// The text of a page without its code blocks.
fn prose(page: &str) -> String {
    let parts = page.split("```").step_by(2);
    parts.collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_relative_link_of_every_page_has_a_target() {
    let mut links = 0;
    let mut broken = Vec::new();
    for path in tracked("*.md") {
        let page = fs::read_to_string(root().join(&path)).unwrap();
        for link in prose(&page).split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { root().join(&path) } else { root().join(&path).with_file_name(file) };
            let found =
                to.exists() && (anchor.is_empty() || anchors(&fs::read_to_string(&to).unwrap()).contains(anchor));
            if !found {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(links > 60, "{links} links");
    assert_eq!(broken, [""; 0]);
}

#[test]
fn every_target_of_make_that_a_page_names_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut named = BTreeSet::new();
    for path in tracked("*.md") {
        let page = fs::read_to_string(root().join(&path)).unwrap();
        for rest in page.split("`make ").skip(1).chain(page.split("\nmake ").skip(1)) {
            let name = |character: char| !(character.is_ascii_lowercase() || character == '-');
            named.extend(Some(rest.split(name).next().unwrap().to_owned()).filter(|name| !name.is_empty()));
        }
    }
    assert!(named.len() > 8, "{named:?}");
    named.retain(|name| !makefile.contains(&format!("\n{name}:")));
    assert_eq!(named, BTreeSet::new(), "the Makefile has no such targets");
}

#[test]
fn make_demo_logs_in_at_the_test_gate_and_at_the_one_that_is_configured() {
    let demo = || {
        let mut make = command("make");
        make.current_dir(root()).args(["--silent", "demo"]);
        make
    };
    let told = run(&mut demo());
    for word in ["test gate", "token   eyJ", "claims  {", "expiry  ", "first   ", "cached  "] {
        assert!(told.contains(word), "{word} is not in:\n{told}");
    }
    let gate = Gate::start();
    let told = run(demo()
        .env("DL_AUTH_USERNAME", "bot@example.com")
        .env("DL_AUTH_PASSWORD", "correct horse battery staple")
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file()));
    assert!(told.contains("token   eyJ"), "{told}");
    assert_eq!(gate.counts().logins, 1);
}

#[test]
fn make_bench_measures_and_prints_where_the_results_are() {
    let scratch = Scratch::new("bench");
    let at = |name: &str| scratch.0.join(name).display().to_string();
    let options =
        format!("BENCH=--quick --without curl,go,dtlpy,cgo,no-redis --out {} --work {}", at("docs"), at("work"));
    let told = run(command("make").current_dir(root()).args(["--silent", "bench", &options]));
    assert!(told.contains(&format!("make bench: wrote {}; missing: libcurl", at("docs/benchmarks.md"))), "{told}");
    assert!(
        fs::read_to_string(at("docs/benchmarks.md")).unwrap().contains("| `dl_auth_token` / the floor, 1 thread |")
    );
}

#[test]
fn the_pictures_of_the_benchmarks_exist() {
    let page = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
    let links = |text: &str, begin: &str| -> Vec<String> {
        text.split(begin).skip(1).map(|rest| format!("docs/benchmarks/{}", rest.split(')').next().unwrap())).collect()
    };
    let pictures = [links(&page, "](benchmarks/"), links(&readme(), "](docs/benchmarks/")].concat();
    assert!(pictures.len() > 6, "{pictures:?}");
    for picture in pictures {
        assert!(fs::read_to_string(root().join(&picture)).unwrap().starts_with("<svg"), "{picture}");
    }
}

/// Checks the commands that `make bench-peers` runs on a machine that has all Debian packages.
#[test]
fn make_bench_peers_installs_the_module_and_the_sdk_in_the_right_places() {
    let scratch = Scratch::new("bench-peers");
    let log = scratch.0.join("log");
    let logs = |name: &str| format!("echo \"{name} $*\" >>'{}'", log.display());
    script(&scratch.0.join("dpkg-query"), "echo install ok installed");
    script(&scratch.0.join("go"), &logs("go"));
    script(&scratch.0.join("python3"), &logs("python3"));
    let environment = scratch.0.join("built/bench/dtlpy");
    script(&environment.join("bin/pip"), &logs("pip"));
    let path = format!("{}:{}", scratch.0.display(), std::env::var("PATH").unwrap());
    let built = format!("BUILT={}", scratch.0.join("built").display());
    let told = run(command("make").current_dir(root()).args(["--silent", "bench-peers", &built]).env("PATH", path));
    assert!(
        told.contains("downloading the Go modules of benches/hosts/go/go.mod") && told.contains("installing dtlpy=="),
        "{told}"
    );
    let ran = fs::read_to_string(log).unwrap();
    let venv = format!("go mod download\ngo mod download\npython3 -m venv {}\n", environment.display());
    let pip = ran.strip_prefix(&venv).unwrap_or_else(|| panic!("{ran}"));
    assert!(pip.starts_with("pip install ") && pip.ends_with("--requirement requirements.txt\n"), "{pip}");
}

/// Simulates a machine that has only Rust and Go, and a user without root permissions. For each target, the script
/// prints the missing packages.
#[test]
fn each_target_installs_the_packages_with_its_marks() {
    let list = fs::read_to_string(root().join("tests/packages.txt")).unwrap();
    let mut marked: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (package, mark, why) = (line[..21].trim(), line[21..24].trim(), &line[24..]);
        assert!(["", "*", "+", "b", "d"].contains(&mark) && why.trim() == why && why.len() > 3, "{line}");
        marked.entry(mark).or_default().push(package);
    }
    let scratch = Scratch::new("setup");
    for (program, text) in [("dpkg-query", "exit 1"), ("id", "echo 1000"), ("apt-get", "exit 1"), ("go", "exit 1")] {
        script(&scratch.0.join(program), text);
    }
    let path = format!("{}:{}", scratch.0.display(), std::env::var("PATH").unwrap());
    for (target, marks) in [
        ("all", &["*", "+", ""][..]),
        ("demo", &["*"]),
        ("bench", &["*"]),
        ("peers", &["+", "b"]),
        ("dist", &["*", "+", "", "d"]),
    ] {
        let output = command(root().join("tests/setup.sh")).arg(target).env("PATH", &path).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let lacks = told.trim().split_once("sudo apt-get install ").unwrap_or_else(|| panic!("{target}: {told}")).1;
        let mut wanted: Vec<&str> = marks.iter().flat_map(|mark| &marked[mark]).copied().collect();
        wanted.retain(|package| *package != "golang-go");
        wanted.sort();
        let mut lacks: Vec<&str> = lacks.split(' ').collect();
        lacks.sort();
        assert_eq!(lacks, wanted, "{target}");
    }
}

#[test]
fn the_example_is_short_and_frees_only_its_handle() {
    let example = fs::read_to_string(root().join("examples/c/token.c")).unwrap();
    assert!(example.lines().count() < 40);
    let frees: Vec<&str> = example.lines().filter(|line| line.contains("free") || line.contains("alloc")).collect();
    assert_eq!(frees, ["  dl_auth_free(auth);"]);
}

/// The gate needs two seconds for each refresh. The first token expires before the loop ends.
#[test]
fn the_control_loop_has_a_token_in_each_cycle_while_the_gate_is_slow_to_refresh_it() {
    const CYCLES: u64 = 10_000;
    let gate = Gate::start_with(Settings { lifetime: 20, ..Settings::default() });
    gate.plan(json!({"do": "hang", "on": "refresh", "times": 100}));
    let scratch = Scratch::new("control-loop");
    let source = root().join("examples/c/control_loop.c");
    assert!(fs::read_to_string(&source).unwrap().lines().count() < 60, "the example has fewer than 60 lines");
    let (executable, include) = (scratch.0.join("control_loop"), root().join("include"));
    let said = run(command("cc")
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args([source.as_os_str(), "-o".as_ref(), executable.as_os_str(), "-I".as_ref(), include.as_os_str()])
        .arg("-L")
        .arg(library())
        .args(["-ldl_auth".to_owned(), format!("-Wl,-rpath,{}", library().display())]));
    assert_eq!(said, "");
    let mut running = command(&executable)
        .arg(CYCLES.to_string())
        .envs([("DL_AUTH_USERNAME", "bot@example.com"), ("DL_AUTH_PASSWORD", "correct horse battery staple")])
        .envs([("DL_AUTH_PROXY", "none"), ("DL_AUTH_REFRESH_AT", "0.1"), ("DL_AUTH_URL", gate.url())])
        .env("DL_AUTH_CA_FILE", gate.ca_file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gate.wait(|counts| counts.hanging == 1);
    assert_eq!(running.try_wait().unwrap(), None, "the program must still run when the refresh begins");
    while running.try_wait().unwrap().is_none() {
        if gate.counts().hanging == 1 {
            thread::sleep(Duration::from_secs(2));
            gate.release();
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = running.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    let number = |name: &str| -> u64 {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {told}"));
        line.split_whitespace().next().unwrap().split('.').next().unwrap().parse().unwrap()
    };
    assert_eq!((number("cycles"), number("gaps")), (CYCLES, 0), "{told}");
    assert_eq!(number("with") + number("before"), CYCLES, "{told}");
    assert!(number("with") > 0, "{told}");
    assert!(told.contains("\nworst "), "{told}"); // `make bench` measures how long a call takes in such a loop
    assert_eq!(gate.counts().logins, 1);
    assert!(gate.counts().refreshes > 0 && gate.counts().issued > 1, "{:?}", gate.counts());
}
