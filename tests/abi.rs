//! Tests of the ABI with the tools that use it, a C compiler, a linker and a loader: the header, the exports, the
//! library's name.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "abi/baseline.rs"]
mod baseline;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{
    Scratch, as_from_a_shell, header, in_a_clean_environment, library, panicking_library, root, run, symbols,
};

/// Warnings of gcc and clang, in C and C++.
const STRICT: [&str; 12] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wmissing-field-initializers",
    "-Wmissing-braces",
    "-Wshadow",
    "-Wundef",
    "-Wfloat-equal",
    "-Werror",
    "-fsyntax-only",
];

/// The machines to compile for. The test for 32 bits is freestanding, so it needs only the headers of the compiler
/// itself.
const MACHINES: &[&[&str]] =
    if cfg!(target_arch = "x86_64") { &[&["-m64"], &["-m32", "-ffreestanding"]] } else { &[&[]] };

#[test]
fn the_header_and_its_initialisers_compile_without_a_warning_in_every_standard_of_c() {
    for standard in ["c89", "c99", "c11", "c17", "c2x", "gnu89", "gnu17"] {
        compile("gcc", &["-x", "c", "-Wc++-compat", "-Wtraditional-conversion"], standard);
        compile("clang", &["-x", "c", "-Weverything"], standard);
    }
}

#[test]
fn the_header_and_its_initialisers_compile_without_a_warning_or_a_cast_in_every_standard_of_cpp() {
    for standard in ["c++98", "c++11", "c++14", "c++17", "c++20", "c++2b"] {
        compile("g++", &["-x", "c++", "-Wold-style-cast", "-Wuseless-cast"], standard);
        compile("clang++", &["-x", "c++", "-Weverything"], standard);
    }
}

/// Compiles the header alone, the header twice, and a program that uses each initialiser and the offset of each field.
fn compile(compiler: &str, options: &[&str], standard: &str) {
    for &machine in MACHINES {
        let mut command = Command::new(compiler);
        command.args(STRICT).args(options).args(machine).arg(format!("-std={standard}"));
        run(command.arg("-I").arg(root().join("include")).arg(root().join("tests/abi/layout.c")));
    }
}

#[test]
fn the_structs_have_one_layout_on_all_machines() {
    let scratch = Scratch::new("abi-layout");
    let check = |target: &str, include: &Path| {
        // Freestanding: the headers of these machines' C libraries are not needed.
        let mut clang = Command::new("clang");
        clang.args(["-target", target, "-ffreestanding", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I"]);
        clang.arg(include).arg(root().join("tests/abi/layout.c")).output().unwrap()
    };
    let right = header();
    for (is_64_bits, target) in [
        (true, "x86_64-linux-gnu"),
        (true, "aarch64-linux-gnu"),
        (true, "x86_64-w64-windows-gnu"),
        (true, "x86_64-pc-windows-msvc"),
        (true, "arm64-apple-macos11"),
        (false, "i686-linux-gnu"),
        (false, "armv7-linux-gnueabihf"),
        (false, "i686-pc-windows-msvc"),
    ] {
        let output = check(target, &root().join("include"));
        assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
        // The last edit changes only the machines with 32 bits.
        for (field, instead, differs) in [
            ("  uint64_t wait_ms;\n", "  uint64_t wait_ms, more;\n", true),
            ("  int32_t activity;\n", "  int64_t activity;\n", true),
            ("  uint64_t generation;\n", "  size_t generation;\n", !is_64_bits),
        ] {
            let edited = right.replacen(field, instead, 1);
            assert_ne!(edited, right, "{field}");
            fs::write(scratch.0.join("dl_auth.h"), edited).unwrap();
            assert_eq!(check(target, &scratch.0).status.success(), !differs, "{target}: {instead}");
        }
    }
}

#[test]
fn only_the_listed_symbols_are_exported_and_each_is_in_the_header() {
    let nm =
        run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library().join("libdl_auth.so")));
    let exported: Vec<&str> = nm.lines().filter_map(|line| line.split(' ').next()).collect();
    let listed = symbols();
    assert_eq!(exported, listed.keys().collect::<Vec<_>>(), "tests/abi/dl_auth.symbols lists what the library exports");
    let header = header();
    for symbol in exported {
        assert!(symbol.starts_with("dl_auth_") && header.contains(&format!("{symbol}(")), "{symbol}");
    }
}

#[test]
fn the_shared_library_is_small() {
    let bytes = fs::metadata(library().join("libdl_auth.so")).unwrap().len();
    assert!(bytes <= 2_246_000, "{bytes} bytes; is it optimised when it is linked (packaging/shared/lib.rs)?");
}

fn dynamic_section() -> String {
    run(Command::new("readelf").args(["-d", "-W"]).arg(library().join("libdl_auth.so")))
}

#[test]
fn the_library_has_its_name_and_is_never_unmapped() {
    let dynamic = dynamic_section();
    assert!(dynamic.contains("Library soname: [libdl_auth.so.0]"), "{dynamic}");
    assert!(dynamic.lines().any(|line| line.contains("FLAGS_1") && line.contains("NODELETE")), "{dynamic}");
}

#[test]
fn the_library_runs_nothing_when_it_is_loaded_or_when_the_process_ends() {
    let dynamic = dynamic_section();
    // Each entry has 8 bytes. In any shared library, the C compiler's start-up code has one function for the load and
    // one for the end. Rust's std has one function for the load, which stores argc and argv. There must be no other
    // function.
    for (array, allowed) in [("INIT_ARRAYSZ", 16), ("FINI_ARRAYSZ", 8)] {
        let line = dynamic.lines().find(|line| line.contains(array)).unwrap();
        let bytes: usize = line.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        assert!(bytes <= allowed, "the library runs more functions than {allowed} bytes hold: {line}");
    }
}

#[test]
fn programs_of_the_shared_and_of_the_static_library_print_the_header_s_version() {
    let scratch = Scratch::new("abi-version");
    let shared = ["-L", library().to_str().unwrap(), "-ldl_auth"];
    let link_static = link_static(library());
    let link_static: Vec<&str> = link_static.iter().map(String::as_str).collect();
    for (name, link) in [("shared", &shared[..]), ("static", &link_static)] {
        let program = scratch.0.join(name);
        let mut cc = Command::new("cc");
        cc.arg("-I").arg(root().join("include")).arg(root().join("tests/abi/version.c"));
        run(cc.args(link).arg("-o").arg(&program));
        let told = run(Command::new(&program).env("LD_LIBRARY_PATH", library()));
        assert_eq!(told, format!("{} 1\n", env!("CARGO_PKG_VERSION")));
    }
}

/// The options of pkg-config that select the static archive.
const ARCHIVE: [&str; 2] = ["--static", "--define-variable=library=:libdl_auth.a"];

/// The output of pkg-config for the static archive in a directory: two options for the archive, and libraries that come
/// with the C compiler.
fn link_static(directory: &Path) -> Vec<String> {
    run(Command::new(root().join("packaging/pkg-config.sh")).arg(directory));
    let mut pkg_config = Command::new("pkg-config");
    let libs = run(pkg_config.args(["--libs", "dl_auth"]).args(ARCHIVE).env("PKG_CONFIG_PATH", directory));
    libs.split_whitespace().map(str::to_owned).collect()
}

/// The released archive, and one with functions that panic. For each: the macros that a program needs to use it.
fn archives() -> [(&'static Path, &'static [&'static str]); 2] {
    [(library(), &[]), (panicking_library(), &["-DTEST_PANIC"])]
}

/// Links `tests/abi/archive.c` with these libraries.
fn link_a_program(compiler: &[&str], libraries: &[String], program: &Path) -> String {
    let (cc, options) = compiler.split_first().unwrap();
    let mut cc = Command::new(cc);
    cc.args(options).args(STRICT.split_last().unwrap().1).arg("-I").arg(root().join("include"));
    let language = if compiler[0].ends_with("++") { "c++" } else { "c" };
    cc.args(["-x", language]).arg(root().join("tests/abi/archive.c")).args(["-x", "none"]);
    run(cc.args(libraries).arg("-o").arg(program))
}

fn runs(program: &Path) {
    assert_eq!(run(in_a_clean_environment(&mut Command::new(program))), concat!(env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_static_archive_is_one_object_whose_only_global_names_are_those_of_the_c_api() {
    let archive = library().join("libdl_auth.a");
    assert_eq!(run(Command::new("ar").arg("t").arg(&archive)), "dl_auth.o\n");
    let nm = run(Command::new("nm").args(["--extern-only", "--defined-only", "--format=posix"]).arg(&archive));
    let global: Vec<&str> = nm.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(global, symbols().keys().collect::<Vec<_>>());
    // Code that was left out refers to `pidfd_spawnp`, which only glibc 2.39 and later have. std works without it.
    let undefined = run(Command::new("nm").args(["--undefined-only"]).arg(panicking_library().join("libdl_auth.a")));
    assert!(undefined.contains("getaddrinfo") && !undefined.contains("pidfd_spawnp"), "{undefined}");
    // The linker drops a group if the program has another one of the same name.
    let groups = run(Command::new("readelf").arg("--section-groups").arg(&archive));
    assert!(groups.contains("There are no section groups in this file."), "{groups}");
    let sections = run(Command::new("readelf").args(["--sections", "--wide"]).arg(&archive));
    assert!(![".debug_", ".llvm"].iter().any(|name| sections.contains(name)), "{sections}");
    let bytes = fs::metadata(&archive).unwrap().len();
    assert!(bytes <= 8 << 20, "{bytes} bytes");
}

#[test]
fn the_static_archive_does_not_change_when_cargo_builds_again() {
    let archive = library().join("libdl_auth.a");
    let before = fs::read(&archive).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--locked", "--lib", "--release"]);
    run(as_from_a_shell(&mut cargo));
    assert!(before == fs::read(&archive).unwrap(), "cargo has overwritten libdl_auth.a");
    run(Command::new(root().join("packaging/archive.sh")).arg(library()));
    assert!(before == fs::read(&archive).unwrap(), "the second archive differs from the first one");
}

#[test]
fn make_lib_works_if_the_output_directory_has_a_space_in_its_name() {
    let scratch = Scratch::new("abi make lib");
    let release = scratch.0.join("output directory/release");
    fs::create_dir_all(&release).unwrap();
    for file in ["libdl_auth.so", "libdl_auth_objects.a"] {
        fs::copy(library().join(file), release.join(file)).unwrap();
    }
    // The files that cargo would build exist already, so a program that does nothing replaces cargo.
    std::os::unix::fs::symlink("/bin/true", scratch.0.join("cargo")).unwrap();
    let path = format!("{}:{}", scratch.0.display(), std::env::var("PATH").unwrap());
    let mut make = Command::new("make");
    make.current_dir(root())
        .args(["--silent", "lib"])
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", release.parent().unwrap());
    assert_eq!(run(&mut make), "");
    for options in [&[][..], &ARCHIVE] {
        let program = scratch.0.join(format!("program-{}", options.len()));
        // The shell must evaluate the backslashes in the output of pkg-config.
        let script = "program=$1; shift; eval cc tests/abi/version.c $(pkg-config --cflags --libs dl_auth \"$@\") -o '\"$program\"'";
        let mut sh = Command::new("sh");
        sh.current_dir(root()).args(["-c", script, "sh"]).arg(&program).args(options);
        run(sh.env("PKG_CONFIG_PATH", &release));
        let needed = run(Command::new("readelf").arg("-d").arg(&program));
        assert_eq!(needed.contains("libdl_auth.so.0"), options.is_empty(), "{needed}");
        let told = run(Command::new(&program).env("LD_LIBRARY_PATH", &release));
        assert_eq!(told, format!("{} 1\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_static_archive_links_beside_another_rust_archive() {
    let scratch = Scratch::new("abi-two-archives");
    for lto in ["off", "fat"] {
        let other = scratch.0.join(format!("libother_{lto}.a")).display().to_string();
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "-O", "--crate-type=staticlib", "-C", &format!("lto={lto}")]);
        run(rustc.arg(root().join("tests/abi/other.rs")).arg("-o").arg(&other));
        for (directory, defines) in archives() {
            let (ours, other) = (link_static(directory), std::slice::from_ref(&other));
            for libraries in [[other, &ours].concat(), [&ours, other, &ours[2..]].concat()] {
                for compiler in ["gcc", "clang", "g++"] {
                    let program = scratch.0.join("program");
                    let compiler = [&[compiler, "-DOTHER_RUST"], defines].concat();
                    assert_eq!(link_a_program(&compiler, &libraries, &program), "", "{lto} {compiler:?} {libraries:?}");
                    runs(&program);
                }
            }
        }
    }
}

#[test]
fn the_static_archive_links_with_each_compiler_and_into_a_static_program() {
    let scratch = Scratch::new("abi-static");
    for (directory, defines) in archives() {
        for compiler in ["gcc", "g++", "clang", "clang++"] {
            for way in [&[][..], &["-Wl,--gc-sections"], &["-static-libgcc"], &["-static"], &["-static-pie", "-fPIE"]] {
                let program = scratch.0.join("program");
                let told = link_a_program(&[&[compiler][..], defines, way].concat(), &link_static(directory), &program);
                // For a static program, the linker warns that the resolver may load modules (see docs/process.md).
                let others =
                    told.lines().filter(|line| !line.contains("getaddrinfo") && !line.contains(": in function `"));
                assert_eq!(others.collect::<Vec<_>>(), [""; 0], "{compiler} {way:?}");
                runs(&program);
            }
        }
    }
}

#[test]
fn a_program_of_the_static_archive_needs_only_the_c_library_at_run_time() {
    let scratch = Scratch::new("abi-libc-alone");
    for (directory, defines) in archives() {
        for way in [&[][..], &["-static"]] {
            let root = scratch.0.join(format!("root-{}-{}", defines.len(), way.len()));
            fs::create_dir_all(&root).unwrap();
            link_a_program(&[&["gcc"][..], defines, way].concat(), &link_static(directory), &root.join("program"));
            if way.is_empty() {
                copy_the_c_library(&root.join("program"), &root);
            }
            let mut chroot = Command::new("chroot");
            let told = run(in_a_clean_environment(&mut chroot).arg(&root).arg("/program"));
            assert_eq!(told, concat!(env!("CARGO_PKG_VERSION"), "\n"));
        }
    }
}

/// Copies the libraries that the loader needs for a program to a root directory. They must all belong to glibc.
fn copy_the_c_library(program: &Path, root: &Path) {
    let needed = run(Command::new("ldd").arg(program));
    for file in needed.split_whitespace().filter(|word| word.starts_with('/')) {
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        let is_glibc = ["libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "ld-linux"];
        assert!(is_glibc.iter().any(|start| name.starts_with(start)), "{needed}");
        let copy = root.join(&file[1..]);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
}

#[test]
fn a_build_that_would_abort_on_a_panic_is_refused() {
    let rustc = |panic: &str| {
        let mut rustc = Command::new("rustc");
        rustc.current_dir(root()).args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "-o", "/dev/null"]);
        let output = rustc.args(["-C", panic, "src/lib.rs"]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("dl_auth must be built with panic = \"unwind\"")
    };
    assert!(rustc("panic=abort") && !rustc("panic=unwind"));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("panic = \"unwind\""));
}

/// `make dist-all` builds with this version.
#[test]
fn the_stated_rust_version_is_the_same_everywhere() {
    let stated = env!("CARGO_PKG_RUST_VERSION");
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let compiler = run(Command::new("rustc").arg("--version"));
    assert!(minor(stated) <= minor(&compiler), "Cargo.toml states {stated}, but the compiler is {compiler}");
    for (file, text) in [
        ("packaging/shared/Cargo.toml", format!("rust-version = \"{stated}\"")),
        ("packaging/static/Cargo.toml", format!("rust-version = \"{stated}\"")),
        ("README.md", format!("Rust {stated} or later")),
        ("tests/setup.sh", "Rust 1.95".to_owned()), // the tests need more
    ] {
        assert!(fs::read_to_string(root().join(file)).unwrap().contains(&text), "{file} does not contain: {text}");
    }
}
