//! The README: its tables are those of the code, its program and its commands run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Scratch, as_from_a_shell, header, in_a_clean_environment, library, root, run, script, target};
use dl_auth_gate::{Gate, Settings};
use serde_json::json;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let begin = format!("```{language}\n");
    readme.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A command as a user gives it.
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

#[test]
fn the_program_and_its_commands_get_a_token() {
    let (program, commands) = (blocks("c").remove(0), blocks("sh").remove(0));
    assert_eq!(program.lines().count(), 15, "the README's program is short");
    let gate = Gate::start();
    let scratch = Scratch::new("readme");
    library();
    fs::write(scratch.0.join("token.c"), program).unwrap();
    fs::write(scratch.0.join("password.txt"), "correct horse battery staple\n").unwrap();
    symlink(root().join("include"), scratch.0.join("include")).unwrap();
    symlink(target(), scratch.0.join("target")).unwrap();
    // `make` runs where the Makefile is; all else as it stands, where the user's own program is.
    let script = commands.replace("make lib", &format!("make -C '{}' --silent lib", root().display()));
    let told = run(command("bash")
        .current_dir(&scratch.0)
        .args(["-e", "-c", &script])
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file()));
    assert!(told.contains("Authorization: Bearer eyJ"), "{told}");
    assert_eq!(gate.counts().logins, 1);
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
fn make_bench_measures_and_tells_where_it_has_written_what_came_out() {
    let scratch = Scratch::new("bench");
    let at = |name: &str| scratch.0.join(name).display().to_string();
    let options = format!("BENCH=--quick --without curl,go,dtlpy,cgo --out {} --work {}", at("docs"), at("work"));
    let told = run(command("make").current_dir(root()).args(["--silent", "bench", &options]));
    assert!(told.contains(&format!("make bench: wrote {}; missing: libcurl", at("docs/benchmarks.md"))), "{told}");
    assert!(
        fs::read_to_string(at("docs/benchmarks.md")).unwrap().contains("| `dl_auth_token` / the floor, 1 thread |")
    );
}

#[test]
fn the_benchmarks_pictures_are_there() {
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

/// What `make bench-peers` would run, on a machine that has all Debian packages.
#[test]
fn make_bench_peers_installs_the_module_and_the_sdk_where_they_are_looked_for() {
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

/// For each target, in a machine that has nothing but Rust and Go: where it would not be root, it says what it lacks.
#[test]
fn each_target_installs_the_packages_with_its_marks() {
    let list = fs::read_to_string(root().join("tests/packages.txt")).unwrap();
    let mut marked: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (package, mark, why) = (line[..21].trim(), line[21..24].trim(), &line[24..]);
        assert!(["", "*", "+", "b"].contains(&mark) && why.trim() == why && why.len() > 3, "{line}");
        marked.entry(mark).or_default().push(package);
    }
    let scratch = Scratch::new("setup");
    for (program, text) in [("dpkg-query", "exit 1"), ("id", "echo 1000"), ("apt-get", "exit 1"), ("go", "exit 1")] {
        script(&scratch.0.join(program), text);
    }
    let path = format!("{}:{}", scratch.0.display(), std::env::var("PATH").unwrap());
    for (target, marks) in [("all", &["*", "+", ""][..]), ("demo", &["*"]), ("bench", &["*"]), ("peers", &["+", "b"])] {
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

/// The gate takes two seconds for each refresh; the first token ends before the loop does.
#[test]
fn the_control_loop_has_a_token_in_each_cycle_while_the_gate_is_slow_to_refresh_it() {
    const CYCLES: u64 = 10_000;
    let gate = Gate::start_with(Settings { lifetime: 20, ..Settings::default() });
    gate.plan(json!({"do": "hang", "on": "refresh", "times": 100}));
    let scratch = Scratch::new("control-loop");
    let source = root().join("examples/c/control_loop.c");
    assert!(fs::read_to_string(&source).unwrap().lines().count() < 60, "the example is under a page");
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
    assert_eq!(running.try_wait().unwrap(), None, "the refresh began during the loop");
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
