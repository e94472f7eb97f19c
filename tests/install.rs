//! Tests of `make install`, `make uninstall` and CMake: what they lay down, and programs that use it. The programs get
//! a token from the test gate.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use common::{Scratch, as_from_a_shell, in_a_clean_environment, library, root, run, script, target};
use dl_auth_gate::{Gate, Settings};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A command in the environment of a user's shell, without variables that select another library or another place.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    as_from_a_shell(in_a_clean_environment(&mut command));
    for name in
        ["PREFIX", "DESTDIR", "LIBDIR", "TARGET", "PKG_CONFIG_PATH", "LD_LIBRARY_PATH", "MAKEFLAGS", "MAKELEVEL"]
    {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target()).env("CARGO_TERM_QUIET", "true");
    command
}

/// `make install` or `make uninstall`, with variables as arguments.
fn make(action: &str, variables: &[String]) -> Command {
    library();
    let mut make = command("make");
    make.current_dir(root()).args(["--silent", action]).args(variables);
    make
}

fn variable(name: &str, value: &Path) -> String {
    format!("{name}={}", value.display())
}

fn installed(prefix: &Path) {
    let told = run(&mut make("install", &[variable("PREFIX", prefix)]));
    assert!(told.contains(&format!("installed dl_auth {VERSION} in {}; run ldconfig", prefix.display())), "{told}");
}

/// All files, links and directories below a directory, as paths relative to it.
fn tree(directory: &Path) -> BTreeSet<String> {
    let found = run(Command::new("find").arg(directory).args(["-mindepth", "1", "-printf", "%P\\n"]));
    found.lines().map(str::to_owned).collect()
}

/// Runs a program that logs in, and checks that the gate gave it a token.
fn gets_a_token(program: &mut Command, gate: &Gate) -> String {
    let before = gate.counts().logins;
    let told = run(as_the_user_of(program, gate));
    let token = gate.last_token().unwrap();
    assert!(told.contains(&token[..20]) && gate.counts().logins == before + 1, "{program:?}: {told}");
    told
}

fn as_the_user_of<'c>(program: &'c mut Command, gate: &Gate) -> &'c mut Command {
    let Settings { username, password, .. } = Settings::default();
    program
        .envs([("DL_AUTH_USERNAME", username), ("DL_AUTH_PASSWORD", password), ("DL_AUTH_PROXY", "none".to_owned())])
        .env("DL_AUTH_URL", gate.url())
        .env("DL_AUTH_CA_FILE", gate.ca_file())
}

/// The libraries that a program loads.
fn needed(program: &Path) -> String {
    run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(program))
}

#[test]
fn each_way_of_linking_works_with_a_prefix_that_has_a_space_and_also_after_it_has_moved() {
    let (gate, scratch) = (Gate::start(), Scratch::new("install ways"));
    let first = scratch.0.join("a prefix");
    installed(&first);
    let second = scratch.0.join("moved/another prefix");
    for prefix in [&first, &second] {
        if prefix == &second {
            fs::create_dir_all(second.parent().unwrap()).unwrap();
            fs::rename(&first, &second).unwrap();
        }
        let empty = scratch.0.join("an empty directory");
        fs::create_dir_all(&empty).unwrap();
        let archive = "--static --define-variable=library=:libdl_auth.a";
        // The shell must evaluate the backslashes in the output of pkg-config.
        let pkg_config = |options: &str, more: &str| {
            format!("eval cc '\"$token\"' $(pkg-config --cflags --libs {options} dl_auth) {more} -o program")
        };
        let bare = "cc \"$token\" -I\"$prefix/include\" -L\"$prefix/lib\"";
        // The command, whether the program loads the shared library, and whether it finds it by itself.
        let ways = [
            (pkg_config("", ""), true, false),
            (pkg_config("", "'-Wl,-rpath,\"$prefix/lib\"'"), true, true),
            (pkg_config("--static", "-static"), false, true),
            (pkg_config("--static", ""), true, false),
            (pkg_config(archive, ""), false, true),
            (format!("{bare} -ldl_auth -Wl,-rpath,\"$prefix/lib\" -o program"), true, true),
            ("cc \"$dlopen\" -I\"$prefix/include\" -o program".to_owned(), false, false),
        ];
        for (way, loads, finds) in ways {
            let mut sh = command("sh");
            sh.current_dir(&empty).args(["-ec", &way]).env("prefix", prefix);
            sh.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
            sh.env("token", root().join("examples/c/token.c")).env("dlopen", root().join("examples/c/dlopen.c"));
            run(&mut sh);
            let program = empty.join("program");
            assert_eq!(needed(&program).contains("libdl_auth.so.0"), loads, "{way}");
            if !finds {
                let output = as_the_user_of(&mut command(&program), &gate).output().unwrap();
                let told = String::from_utf8(output.stderr).unwrap();
                assert!(!output.status.success() && told.contains("libdl_auth.so.0: cannot open"), "{way}: {told}");
            }
            let mut program = command(&program);
            if !finds {
                program.env("LD_LIBRARY_PATH", prefix.join("lib"));
            }
            gets_a_token(&mut program, &gate);
        }
    }
}

/// Configures a project.
fn cmake(project: &Path, build: &Path, variables: &[String]) -> Command {
    let mut cmake = command("cmake");
    cmake.arg("-S").arg(project).arg("-B").arg(build).args(variables.iter().map(|variable| format!("-D{variable}")));
    cmake
}

fn cmake_builds(build: &Path) -> String {
    run(command("cmake").arg("--build").arg(build))
}

#[test]
fn cmake_finds_the_installed_library_and_each_target_gets_a_token() {
    let (gate, scratch) = (Gate::start(), Scratch::new("install cmake"));
    let (first, prefix) = (scratch.0.join("a prefix"), scratch.0.join("another prefix"));
    installed(&first);
    fs::rename(&first, &prefix).unwrap();
    let (project, build) = (root().join("tests/install"), scratch.0.join("a build"));
    let with = |version: &str, more: &str| {
        let source = variable("SOURCE", &root().join("examples/c/token.c"));
        let at = variable("CMAKE_PREFIX_PATH", &prefix);
        cmake(&project, &build, &[at, source, format!("VERSION={version}"), more.to_owned()])
    };
    for version in ["1.0", "0.999", "0.999.0"] {
        let output = with(version, "A=").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && told.contains(&format!("dl_auth-config.cmake, version: {VERSION}")),
            "{told}"
        );
    }
    // A library with a later first number is another library.
    let file = prefix.join("lib/cmake/dl_auth/dl_auth-config-version.cmake");
    let right = fs::read_to_string(&file).unwrap();
    fs::write(&file, right.replace(VERSION, "9.1.0")).unwrap();
    let told = String::from_utf8(with(VERSION, "A=").output().unwrap().stderr).unwrap();
    assert!(told.contains("dl_auth-config.cmake, version: 9.1.0"), "{told}");
    fs::write(&file, right).unwrap();
    for (of, is_static) in [("OFF", false), ("ON", true)] {
        run(&mut with(VERSION, &format!("dl_auth_USE_STATIC_LIBS={of}")));
        cmake_builds(&build);
        for (program, loads) in [("dl_auth", !is_static), ("shared", true), ("static", false)] {
            let program = build.join(program);
            let needed = needed(&program);
            assert_eq!(needed.contains("libdl_auth.so.0"), loads, "{program:?}");
            assert!(!needed.contains("libgcc_s"), "{program:?}: {needed}");
            gets_a_token(&mut command(&program), &gate);
        }
    }
}

/// The clone itself is the project. What it installs is compared with `make install`.
#[test]
fn cmake_installs_the_same_files_as_make_and_uninstall_removes_them() {
    let scratch = Scratch::new("install cmake-install");
    let (build, stage) = (scratch.0.join("build"), scratch.0.join("a stage"));
    run(&mut cmake(root(), &build, &["CMAKE_INSTALL_LIBDIR=lib/multi-arch".to_owned()]));
    cmake_builds(&build);
    // The second build changes nothing, so that no program is linked again.
    let times = || {
        [format!("libdl_auth.so.{VERSION}"), "libdl_auth.a".to_owned()]
            .map(|name| fs::metadata(build.join("stage/lib/multi-arch").join(name)).unwrap().modified().unwrap())
    };
    let before = times();
    cmake_builds(&build);
    assert_eq!(times(), before);
    run(command("cmake").arg("--install").arg(&build).args(["--prefix", "/opt/its own"]).env("DESTDIR", &stage));
    let by_make = scratch.0.join("by make");
    run(&mut make(
        "install",
        &[
            "PREFIX=/opt/its own".to_owned(),
            variable("DESTDIR", &by_make),
            "LIBDIR=/opt/its own/lib/multi-arch/".to_owned(),
        ],
    ));
    let (cmakes, makes) = (stage.join("opt/its own"), by_make.join("opt/its own"));
    assert_eq!(tree(&cmakes), tree(&makes));
    // `make install` also lists the directories that it has made.
    let told = Command::new("diff").args(["--recursive", "--brief"]).args([&cmakes, &makes]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.lines().count() == 1 && told.contains("manifest.txt"), "{told}");
    for at in [&stage, &by_make] {
        let told = run(&mut make("uninstall", &["PREFIX=/opt/its own".to_owned(), variable("DESTDIR", at)]));
        assert_eq!(told, "removed dl_auth from ".to_owned() + at.join("opt/its own\n").to_str().unwrap());
        assert_eq!(run(Command::new("find").arg(at).args(["-not", "-type", "d"])), "");
    }
    assert_eq!(tree(&by_make), BTreeSet::new());
}

#[test]
fn make_install_lays_down_exactly_these_files_and_uninstall_leaves_what_was_there_before() {
    let scratch = Scratch::new("install files");
    let prefix = scratch.0.join("prefix");
    fs::create_dir_all(prefix.join("include")).unwrap();
    fs::write(prefix.join("include/mine.h"), "").unwrap();
    fs::create_dir_all(prefix.join("share/empty")).unwrap();
    let before = tree(&prefix);
    let pages = common::symbols().into_keys().chain(["dl_auth".to_owned()]);
    let pages = pages.map(|name| format!("share/man/man3/{name}.3"));
    let files = "include/dl_auth.h include/dl_auth.hpp include/dl_auth.cdef.h lib/libdl_auth.a lib/libdl_auth.so.0 \
        lib/libdl_auth.so lib/pkgconfig/dl_auth.pc lib/cmake/dl_auth/dl_auth-config.cmake \
        lib/cmake/dl_auth/dl_auth-config-version.cmake lib/cmake/dl_auth/dl_auth-targets.cmake share/dl_auth/manifest.txt";
    let mut wanted: BTreeSet<String> = files.split_whitespace().map(str::to_owned).chain(pages).collect();
    wanted.insert(format!("lib/libdl_auth.so.{VERSION}"));

    let files = |prefix: &Path| -> BTreeSet<String> {
        let is_file = |path: &String| !prefix.join(path).is_dir() && path != "include/mine.h";
        tree(prefix).into_iter().filter(is_file).collect()
    };
    // Twice, the second time with a file of an earlier version.
    for round in 0..2 {
        installed(&prefix);
        assert_eq!(files(&prefix), wanted, "{round}");
        let manifest = prefix.join("share/dl_auth/manifest.txt");
        let old = fs::read_to_string(&manifest).unwrap() + "file lib/old/libdl_auth.so.0.0.9\ndir lib/old\n";
        if round == 0 {
            fs::create_dir(prefix.join("lib/old")).unwrap();
            fs::write(prefix.join("lib/old/libdl_auth.so.0.0.9"), "").unwrap();
            fs::write(manifest, old).unwrap();
        }
    }
    // The links, and the name that programs load.
    let link = |name: &str| fs::read_link(prefix.join("lib").join(name)).unwrap().display().to_string();
    assert_eq!(link("libdl_auth.so.0"), format!("libdl_auth.so.{VERSION}"));
    assert_eq!(link("libdl_auth.so"), "libdl_auth.so.0");
    assert!(needed(&prefix.join("lib/libdl_auth.so")).contains("soname: [libdl_auth.so.0]"));
    for path in &wanted {
        let mode = fs::metadata(prefix.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.contains("libdl_auth.so") { 0o755 } else { 0o644 }, "{path}");
        // No file that people read has a path of this machine.
        if let Ok(text) = fs::read_to_string(prefix.join(path)) {
            let here = [root(), &scratch.0].iter().any(|place| text.contains(place.to_str().unwrap()));
            assert!(!here && !text.contains("/tmp/"), "{path}: {text}");
        }
    }
    fs::write(prefix.join("lib/cmake/dl_auth/mine.cmake"), "").unwrap();
    run(&mut make("uninstall", &[variable("PREFIX", &prefix)]));
    let mut kept = before;
    kept.extend(["lib", "lib/cmake", "lib/cmake/dl_auth", "lib/cmake/dl_auth/mine.cmake"].map(str::to_owned));
    assert_eq!(tree(&prefix), kept);
}

#[test]
fn uninstall_leaves_nothing_also_after_the_prefix_has_moved() {
    let scratch = Scratch::new("install nothing");
    let (first, second) = (scratch.0.join("deep/in here"), scratch.0.join("moved"));
    installed(&first);
    run(&mut make("uninstall", &[variable("PREFIX", &first)]));
    assert_eq!(tree(&scratch.0), BTreeSet::new());
    installed(&first);
    fs::rename(&first, &second).unwrap();
    run(&mut make("uninstall", &[variable("PREFIX", &second)]));
    assert_eq!(tree(&scratch.0), BTreeSet::from(["deep".to_owned()]));
}

/// The script never removes a file outside of the prefix.
#[test]
fn uninstall_refuses_a_manifest_that_leads_out_of_the_prefix() {
    let scratch = Scratch::new("install-damaged");
    let (prefix, precious) = (scratch.0.join("prefix"), scratch.0.join("precious"));
    fs::create_dir_all(prefix.join("share/dl_auth")).unwrap();
    fs::write(&precious, "").unwrap();
    for path in ["../precious", "share/../../precious", precious.to_str().unwrap()] {
        fs::write(prefix.join("share/dl_auth/manifest.txt"), format!("file {path}\n")).unwrap();
        let told = fails(&make("uninstall", &[variable("PREFIX", &prefix)]).output().unwrap());
        assert!(told.contains("share/dl_auth/manifest.txt is damaged; remove the files by hand"), "{told}");
        assert!(precious.exists());
    }
}

/// With a system root, as for another machine, pkg-config names the paths in that root once.
#[test]
fn pkg_config_works_in_a_system_root() {
    let scratch = Scratch::new("install-root");
    let at = variable("DESTDIR", &scratch.0);
    run(&mut make("install", &["PREFIX=/usr".to_owned(), at, "LIBDIR=lib/multi-arch".to_owned()]));
    let mut pkg_config = command("pkg-config");
    pkg_config.args(["--cflags", "--libs", "dl_auth"]).env("PKG_CONFIG_SYSROOT_DIR", &scratch.0);
    let told = run(pkg_config.env("PKG_CONFIG_LIBDIR", scratch.0.join("usr/lib/multi-arch/pkgconfig")));
    let mut words = told.split_whitespace();
    for (option, directory) in [("-I", "usr/include"), ("-L", "usr/lib/multi-arch")] {
        let path = words.next().unwrap().strip_prefix(option).unwrap();
        assert_eq!(fs::canonicalize(path).unwrap(), fs::canonicalize(scratch.0.join(directory)).unwrap(), "{told}");
    }
    assert_eq!(words.collect::<Vec<_>>(), ["-ldl_auth"]);
}

/// Asks rustc for the real library, and not for an empty one as `packaging/native-libs.sh` does.
#[test]
fn the_private_libraries_of_pkg_config_are_those_that_rustc_reports() {
    run(command(root().join("packaging/pkg-config.sh")).arg(library()));
    let pc = fs::read_to_string(library().join("dl_auth.pc")).unwrap();
    let listed = pc.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    let mut cargo = command(env!("CARGO"));
    cargo.current_dir(root()).args(["rustc", "--locked", "--package", "dl_auth_static", "--lib", "--"]);
    let told = run(cargo.args(["--print", "native-static-libs"]));
    let reported =
        told.lines().find_map(|line| line.split_once("native-static-libs: ")).unwrap_or_else(|| panic!("{told}")).1;
    assert!(reported.contains("-lgcc_s "), "{reported}");
    assert_eq!(listed, reported.replace("-lgcc_s ", "-lgcc_eh "));
}

#[test]
fn each_file_that_names_the_version_has_that_of_cargo() {
    let names = |file: &str, text: &str| {
        let found = fs::read_to_string(root().join(file)).unwrap();
        assert!(found.contains(text), "{file} does not contain {text}");
    };
    names("include/dl_auth.h", &format!("#define DL_AUTH_VERSION \"{VERSION}\""));
    names("bindings/csharp/package.json", &format!("\"version\": \"{VERSION}\""));
    names("README.md", &format!("Version {VERSION}"));
    names("packaging/man/dl_auth.3", &format!("\"dl_auth {VERSION}\""));
}

#[test]
fn groff_has_no_warning_about_the_manual_pages() {
    let pages: Vec<PathBuf> =
        fs::read_dir(root().join("packaging/man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 20);
    for page in &pages {
        assert_eq!(run(Command::new("groff").args(["-ww", "-man", "-Tutf8", "-z"]).arg(page)), "", "{page:?}");
    }
    // What a reader sees: the text of the header, in its order, and code as it is.
    let page = root().join("packaging/man/dl_auth_generation.3");
    let read = run(Command::new("groff").args(["-man", "-Tutf8", "-P-cbou"]).arg(page));
    let chapters: Vec<&str> = read.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    let wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "PARAMETERS", "RETURN VALUE", "NOTES", "HISTORY", "SEE ALSO"];
    assert_eq!(chapters[1..], wanted, "{read}");
    for text in ["uint64_t dl_auth_generation(const dl_auth_t *auth);", "copy->generation = 0;", "// 0: no copy"] {
        assert!(read.contains(text), "{text} is not in:\n{read}");
    }
}

/// A header in a separate directory, made from that of this version.
fn header_with(scratch: &Scratch, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let directory = scratch.0.join(name);
    fs::create_dir_all(&directory).unwrap();
    let mut header = common::header();
    for (from, to) in changes {
        assert_eq!(header.matches(from).count(), 1, "{from}");
        header = header.replace(from, to);
    }
    fs::write(directory.join("dl_auth.h"), header).unwrap();
    fs::copy(root().join("include/dl_auth.hpp"), directory.join("dl_auth.hpp")).unwrap();
    directory
}

const LAST_FIELD: &str = "  char store_message[DL_AUTH_STORE_MESSAGE_MAX];\n";
const LAST_INITIALISER: &str = "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }";

/// The next version has one function and one field more. The version before has one field less.
fn next_header(scratch: &Scratch) -> PathBuf {
    header_with(
        scratch,
        "next",
        &[
            (LAST_FIELD, &format!("{LAST_FIELD}  uint64_t added;\n")),
            (LAST_INITIALISER, &LAST_INITIALISER.replace("{ 0 } }", "{ 0 }, 0 }")),
            ("#define DL_AUTH_ABI_VERSION 1\n", "#define DL_AUTH_ABI_VERSION 2\n"),
            (
                "uint32_t dl_auth_abi_version(void);\n",
                "uint32_t dl_auth_abi_version(void);\nuint32_t dl_auth_added(void);\n",
            ),
        ],
    )
}

/// The library of the next version: the code of this one, with what `tests/install/next.c` changes.
fn next_library(scratch: &Scratch, header: &Path) -> PathBuf {
    let directory = scratch.0.join("next library");
    fs::create_dir_all(&directory).unwrap();
    let archive = directory.join("libdl_auth.a");
    let mut objcopy = Command::new("objcopy");
    for name in ["dl_auth_info", "dl_auth_abi_version"] {
        objcopy.arg(format!("--redefine-sym={name}={name}_before"));
    }
    run(objcopy.arg(library().join("libdl_auth.a")).arg(&archive));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wl,-soname,libdl_auth.so.0", "-Wall", "-Wextra", "-Werror", "-I"]).arg(header);
    cc.arg(root().join("tests/install/next.c")).args(["-Wl,--whole-archive".as_ref(), archive.as_os_str()]);
    run(cc.args(["-Wl,--no-whole-archive", "-lgcc_eh", "-o"]).arg(directory.join("libdl_auth.so")));
    symlink("libdl_auth.so", directory.join("libdl_auth.so.0")).unwrap();
    directory
}

fn abi_program(scratch: &Scratch, name: &str, header: &Path, library: &Path, options: &[&str]) -> PathBuf {
    let program = scratch.0.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror"])
        .args(options)
        .arg("-I")
        .arg(header)
        .arg(root().join("tests/install/abi.c"));
    run(cc.arg("-L").arg(library).args(["-ldl_auth", "-o"]).arg(&program));
    program
}

#[test]
fn a_program_of_this_version_runs_with_a_library_that_has_one_more_function_and_a_larger_struct() {
    let (gate, scratch) = (Gate::start(), Scratch::new("install-newer-library"));
    let next = next_library(&scratch, &next_header(&scratch));
    let program = abi_program(&scratch, "this", &root().join("include"), library(), &[]);
    let told = gets_a_token(command(&program).env("LD_LIBRARY_PATH", &next), &gate);
    assert!(told.contains("\nabi 2 info 392 of 392 logins 1 wait 30000\n"), "{told}");
    // The same with the code of this version: its struct is larger than that of the version before.
    let before = header_with(
        &scratch,
        "before",
        &[(LAST_FIELD, ""), (LAST_INITIALISER, &LAST_INITIALISER.replace(", { 0 } }", " }"))],
    );
    let program = abi_program(&scratch, "before-program", &before, library(), &[]);
    let told = gets_a_token(command(&program).env("LD_LIBRARY_PATH", library()), &gate);
    assert!(told.contains("\nabi 1 info 136 of 136 logins 1 wait 30000\n"), "{told}");
}

#[test]
fn a_program_of_the_next_version_fails_with_this_library_and_says_why() {
    let (gate, scratch) = (Gate::start(), Scratch::new("install-older-library"));
    let header = next_header(&scratch);
    let next = next_library(&scratch, &header);
    let program = abi_program(&scratch, "program", &header, &next, &["-DNEXT", "-Wl,-z,lazy"]);
    // With the library of its version, the program has everything.
    let told = gets_a_token(command(&program).arg("call").env("LD_LIBRARY_PATH", &next), &gate);
    assert!(told.contains("\nabi 2 info 400 of 400 logins 1 wait 30000\nadded 42 7\n"), "{told}");
    // Until it calls the new function, it runs with this library, and sees which fields were filled.
    let told = gets_a_token(command(&program).env("LD_LIBRARY_PATH", library()), &gate);
    assert!(told.contains("\nabi 1 info 392 of 400 logins 1 wait 30000\n"), "{told}");
    let fails = |program: &mut Command| {
        let output = as_the_user_of(program.env("LD_LIBRARY_PATH", library()), &gate).output().unwrap();
        assert!(!output.status.success(), "{program:?} must fail");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = fails(command(&program).arg("call"));
    assert!(
        told.contains("program: symbol lookup error: ") && told.contains("undefined symbol: dl_auth_added"),
        "{told}"
    );
    // Linked as most distributions link, the program does not even start.
    let program = abi_program(&scratch, "now", &header, &next, &["-DNEXT", "-Wl,-z,now"]);
    let told = fails(&mut command(&program));
    assert!(told.contains("now: symbol lookup error: ") && told.contains("undefined symbol: dl_auth_added"), "{told}");
    // Programs that compare the ABI numbers name both, and the file.
    let dlopen = scratch.0.join("dlopen");
    run(Command::new("cc").arg("-I").arg(&header).arg(root().join("examples/c/dlopen.c")).arg("-o").arg(&dlopen));
    let told = fails(&mut command(&dlopen));
    assert_eq!(told, "libdl_auth.so.0 is too old: its ABI is 1, and this program needs 2\n");
    let cpp = scratch.0.join("cpp");
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++17", "-I"]).arg(&header).arg(root().join("examples/cpp/token.cpp")).arg("-o").arg(&cpp);
    run(compiler.arg("-L").arg(library()).arg("-ldl_auth"));
    let told = fails(&mut command(&cpp));
    let wanted = format!("{VERSION} is too old: its ABI is 1, and this program needs 2; it was loaded from ");
    assert!(told.contains(&wanted) && told.contains("/libdl_auth.so.0"), "{told}");
}

/// tests/abi.rs links the archive beside the other one, also without LTO.
#[test]
fn a_program_of_the_shared_library_and_of_another_rust_archive_runs() {
    let scratch = Scratch::new("install-two-runtimes");
    let program = scratch.0.join("program");
    let other = scratch.0.join("libother.a");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-O", "--crate-type=staticlib", "-C", "lto=fat"]);
    run(rustc.arg(root().join("tests/abi/other.rs")).arg("-o").arg(&other));
    for other_is_first in [true, false] {
        let mut cc = Command::new("cc");
        cc.arg("-DOTHER_RUST").arg("-I").arg(root().join("include")).arg(root().join("tests/abi/archive.c"));
        cc.arg("-L").arg(library());
        if other_is_first {
            cc.arg(&other).arg("-ldl_auth");
        } else {
            cc.arg("-ldl_auth").arg(&other);
        }
        run(cc.args(["-lgcc_s", "-o"]).arg(&program));
        assert!(needed(&program).contains("libdl_auth.so.0"));
        assert_eq!(run(command(&program).env("LD_LIBRARY_PATH", library())), format!("{VERSION}\n"));
    }
}

/// The one line that a failed `make` prints, without what make itself adds.
fn fails(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with("make: *** [")).collect();
    assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
    assert!(lines.len() == 1 && lines[0].starts_with("make "), "one line must say what to do: {told}");
    lines[0].to_owned()
}

#[test]
fn a_wrong_variable_installs_nothing_and_one_line_says_what_to_do() {
    let scratch = Scratch::new("install-wrong");
    let good = variable("PREFIX", &scratch.0.join("prefix"));
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    let with_break = format!("{good}\nx");
    for (variables, says) in [
        (vec!["PREFIX="], "PREFIX is empty; set it to an absolute path"),
        (vec!["PREFIX=some/where"], "PREFIX must be an absolute path; write PREFIX=/"),
        (vec![&good, "DESTDIR=stage"], "DESTDIR must be an absolute path; write DESTDIR=/"),
        (vec![&with_break], "PREFIX contains a line break"),
        (vec![&good, "DESTDIR=/tmp/a\nb"], "DESTDIR contains a line break"),
        (vec![&good, "LIBDIR="], "LIBDIR must be a directory inside of PREFIX"),
        (vec![&good, "LIBDIR=../lib"], "LIBDIR must be a directory inside of PREFIX"),
        (vec![&good, "LIBDIR=/usr/lib"], "LIBDIR must be a directory inside of PREFIX"),
        (vec![&good, "LIBDIR=a|b"], "LIBDIR must be a directory inside of PREFIX"),
        (vec![&variable("PREFIX", &file)], "file is not a directory; move it away, or choose another PREFIX"),
        (vec![&variable("PREFIX", &file.join("below"))], "file is not a directory; move it away"),
    ] {
        let variables: Vec<String> = variables.iter().map(|&variable| variable.to_owned()).collect();
        for action in ["install", "uninstall"] {
            let told = fails(&make(action, &variables).output().unwrap());
            // A prefix that cannot be used has nothing to remove.
            let says =
                if action == "uninstall" && says.contains("file is not") { "nothing is installed in " } else { says };
            assert!(told.starts_with(&format!("make {action}: ")) && told.contains(says), "{variables:?}: {told}");
        }
        assert_eq!(tree(&scratch.0), BTreeSet::from(["file".to_owned()]), "{variables:?}");
    }
    let told = fails(&make("uninstall", std::slice::from_ref(&good)).output().unwrap());
    assert!(told.contains("nothing is installed in ") && told.contains("set PREFIX as for make install"), "{told}");
}

/// Each case has a mount namespace, with other mounts in it. `$1` is the prefix.
#[test]
fn a_place_that_cannot_be_written_stays_as_it_was() {
    let scratch = Scratch::new("install-readonly");
    let prefix = scratch.0.join("prefix");
    let prepared = |text: &str| {
        library();
        let mut shell = command("unshare");
        shell.current_dir(root()).args(["--mount", "bash", "-ec"]);
        // Prints the files that are left, because the mounts end with the namespace.
        let left = "find \"$1\" -not -type d -o -name '.dl_auth*'";
        let end = if fs::read_dir(&prefix).unwrap().next().is_none() { left } else { "" };
        shell.arg(format!("{text}\nmake --silent \"$2\" PREFIX=\"$1\" || code=$?\n{end}\nexit $code"));
        shell.arg("bash").arg(&prefix);
        shell
    };
    let read_only = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
    // A file cannot be moved to a place where another file is mounted. So the script must move others back.
    let busy = "mount --bind \"$1/lib/libdl_auth.so.0.1.0\" \"$1/lib/libdl_auth.so.0.1.0\"";
    let full = "mount -t tmpfs -o size=1m tmpfs \"$1\"";
    let directory = "mkdir \"$1/lib/pkgconfig/dl_auth.pc\"";
    fs::create_dir_all(&prefix).unwrap();
    for (text, says) in [
        (read_only, "prefix; run this as a user that can (sudo), or choose another PREFIX"),
        (full, "nothing is installed: "),
        (&format!("mkdir -p \"$1/lib/pkgconfig\"; {directory}"), "dl_auth.pc is a directory; move it away"),
    ] {
        let told = fails(&prepared(text).arg("install").output().unwrap());
        assert!(told.starts_with("make install: ") && told.contains(says), "{text}: {told}");
        fs::remove_dir_all(&prefix).unwrap();
        fs::create_dir_all(&prefix).unwrap();
    }
    // Over an earlier installation, of which two files differ from the new ones.
    installed(&prefix);
    fs::write(prefix.join("include/dl_auth.h"), "old").unwrap();
    fs::remove_file(prefix.join("lib/libdl_auth.a")).unwrap();
    let old = tree(&prefix);
    // A user stops it in the middle.
    let stop = "case \"$*\" in */lib/libdl_auth.a) read -r _ _ _ script _ </proc/$PPID/stat; kill -TERM $script ;; esac\nexec /bin/mv \"$@\"";
    script(&scratch.0.join("stop/mv"), stop);
    let stopped = format!("PATH='{}':$PATH", scratch.0.join("stop").display());
    for (text, says) in [
        (busy, "nothing is installed: "),
        (read_only, "cannot write to "),
        (&stopped, "stopped by a signal; nothing is installed"),
    ] {
        let told = fails(&prepared(text).arg("install").output().unwrap());
        assert!(told.contains(says), "{text}: {told}");
        assert_eq!(tree(&prefix), old, "{text}");
        assert_eq!(fs::read_to_string(prefix.join("include/dl_auth.h")).unwrap(), "old", "{text}");
    }
    let told = fails(&prepared(read_only).arg("uninstall").output().unwrap());
    assert!(told.contains("cannot write to "), "{told}");
    assert_eq!(tree(&prefix), old);
}

/// A directory with all programs of this machine except some.
fn programs_without(at: &Path, missing: &[&str]) {
    fs::create_dir_all(at).unwrap();
    for directory in
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).filter_map(|path| fs::read_dir(path).ok())
    {
        for program in directory.map(|entry| entry.unwrap()) {
            if !missing.contains(&program.file_name().to_str().unwrap()) {
                symlink(program.path(), at.join(program.file_name())).ok(); // the first one in PATH counts
            }
        }
    }
}

#[test]
fn a_missing_tool_installs_nothing_and_one_line_names_it() {
    let scratch = Scratch::new("install-tools");
    let prefix = scratch.0.join("prefix");
    let install = |path: &Path, built: &Path| {
        let mut make = make("install", &[variable("PREFIX", &prefix), variable("BUILT", built)]);
        make.env("PATH", path);
        make
    };
    let without_cc = scratch.0.join("without cc");
    programs_without(&without_cc, &["cc"]);
    let told = fails(&install(&without_cc, &target()).output().unwrap());
    assert!(told.contains("cc is missing; install a C compiler"), "{told}");
    assert!(!prefix.exists());

    // A cargo that fails, as for a source that does not compile.
    let broken = scratch.0.join("broken");
    script(&broken.join("cargo"), "exit 1");
    let path = format!("{}:{}", broken.display(), std::env::var("PATH").unwrap());
    let output = install(Path::new(&path), &target()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("make install: the library does not build (see above); nothing is installed"), "{told}");
    assert!(!output.status.success() && !prefix.exists());

    let without_cargo = scratch.0.join("without-cargo"); // no space, because the Makefiles of CMake cannot use such a program
    programs_without(&without_cargo, &["cargo"]);
    let output = cmake(root(), &scratch.0.join("build"), &[])
        .env("PATH", &without_cargo)
        .env("HOME", &scratch.0)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("dl_auth: cargo is missing; install Rust"), "{told}");
    let built = scratch.0.join("built");
    let told = fails(&install(&without_cargo, &built).output().unwrap());
    assert!(told.contains("cargo is missing; install Rust") && told.contains("`make lib`"), "{told}");
    // As under sudo: another user has built the library.
    let release = built.join("release");
    fs::create_dir_all(&release).unwrap();
    run(command(root().join("packaging/pkg-config.sh")).arg(library()));
    for file in ["libdl_auth.so", "libdl_auth.a", "dl_auth.pc"] {
        fs::copy(library().join(file), release.join(file)).unwrap();
    }
    let written = |at: SystemTime| fs::File::open(release.join("dl_auth.pc")).unwrap().set_modified(at).unwrap();
    written(SystemTime::UNIX_EPOCH);
    let told = fails(&install(&without_cargo, &built).output().unwrap());
    assert!(told.contains("cargo is missing, and the library is older than its sources"), "{told}");
    assert!(!prefix.exists());
    written(SystemTime::now() + Duration::from_secs(60));
    run(&mut install(&without_cargo, &built));
    assert!(prefix.join("lib/libdl_auth.so").exists());
}

/// The code blocks of a page, in their order: the language and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect()
}

/// Pastes all commands of docs/install.md, in an empty directory with the program of the README.
#[test]
fn every_command_of_the_page_works() {
    let (gate, scratch) = (Gate::start(), Scratch::new("install-page"));
    let (home, work) = (scratch.0.join("home"), scratch.0.join("work"));
    for directory in [&home, &work] {
        fs::create_dir_all(directory).unwrap();
    }
    library();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let program = readme.split_once("<<'END'\n").unwrap().1.split_once("END\n").unwrap().0;
    fs::write(work.join("token.c"), program).unwrap();
    let page = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let (mut programs, mut exports) = (0, String::new());
    // cargo and rustup look for their files in HOME.
    let old_home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let kept = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")];
    let kept = kept.map(|(name, default)| (name, std::env::var_os(name).unwrap_or(old_home.join(default).into())));
    for (language, text) in blocks(&page) {
        if language == "cmake" {
            fs::write(work.join("CMakeLists.txt"), text).unwrap();
            fs::remove_dir_all(work.join("build")).ok();
            continue;
        }
        assert_eq!(language, "sh");
        let mut bash = command("bash");
        bash.current_dir(if text.starts_with("make ") { root() } else { &work })
            .args(["-ec", &(exports.clone() + text)])
            .env("HOME", &home)
            .env("SOURCE", root())
            .envs(kept.clone());
        run(as_the_user_of(&mut bash, &gate));
        exports += &text
            .lines()
            .filter(|line| line.starts_with("export "))
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        for name in ["token", "token_static", "build/token"] {
            let program = work.join(name);
            if program.exists() {
                let mut program = command(&program);
                if text.contains("LD_LIBRARY_PATH") {
                    program.env("LD_LIBRARY_PATH", home.join("dl_auth/lib"));
                }
                gets_a_token(&mut program, &gate);
                programs += 1;
                fs::remove_file(work.join(name)).unwrap();
            }
        }
    }
    assert_eq!(programs, 5, "two programs by pkg-config, two by CMake, one by dlopen");
    assert_eq!(tree(&home), BTreeSet::new(), "the last command of the page removes all");
}
