//! The programs that read a token in the languages of the bindings. They are compiled if the language is.

use std::path::PathBuf;
use std::process::Command;

use crate::options::{Options, root};
use crate::peer::Peer;
use crate::run::{Outcome, clean, tool};

/// The directory of the sources.
pub const SOURCES: &str = "benches/hosts";

/// Compiles a host's program, or returns what is missing. Returns an error if it does not compile.
pub fn look(host: Peer, options: &Options) -> Outcome<Result<PathBuf, String>> {
    let there_is = |program: &str, question: &str| tool(Command::new(program).arg(question));
    match host {
        Peer::Cpp => match there_is("g++", "--version") {
            Ok(_) => cpp(options).map(Ok),
            Err(_) => Ok(Err("there is no g++".to_owned())),
        },
        Peer::GoHost => match (there_is("go", "version"), there_is("pkg-config", "--version")) {
            (Ok(_), Ok(_)) => go(options),
            _ => Ok(Err("there is no Go compiler, or no pkg-config".to_owned())),
        },
        Peer::Python => {
            // The path of the interpreter itself, not of a wrapper that needs the environment.
            let python = tool(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
            Ok(python.map(PathBuf::from).map_err(|_| "there is no python3".to_owned()))
        }
        Peer::CSharp => match (there_is("mcs", "--version"), there_is("mono", "--version")) {
            (Ok(_), Ok(_)) => csharp(options).map(Ok),
            _ => Ok(Err("there is no Mono with its compiler".to_owned())),
        },
        _ => Ok(there_is("luajit", "-v").map(|_| PathBuf::from("luajit")).map_err(|_| "there is no luajit".to_owned())),
    }
}

fn cpp(options: &Options) -> Outcome<PathBuf> {
    let executable = options.work.join("read_cpp");
    let mut compiler = clean("g++");
    compiler.args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]).arg(root().join("include"));
    compiler.arg(root().join(SOURCES).join("read.cpp")).arg("-o").arg(&executable);
    tool(compiler.arg("-L").arg(&options.built).arg("-ldl_auth"))?;
    Ok(executable)
}

fn go(options: &Options) -> Outcome<Result<PathBuf, String>> {
    let executable = options.work.join("read_go");
    tool(clean(root().join("packaging/pkg-config.sh")).arg(&options.built))?;
    let mut compiler = Command::new("go"); // it needs the environment to find its caches
    compiler.current_dir(root().join(SOURCES).join("go")).env("PKG_CONFIG_PATH", &options.built);
    compiler.envs([("GOPROXY", "off"), ("GOFLAGS", "-mod=readonly"), ("GOTOOLCHAIN", "local"), ("CGO_ENABLED", "1")]);
    match tool(compiler.args(["build", "-tags", "dlauth_pkgconfig", "-buildvcs=false", "-o"]).arg(&executable).arg("."))
    {
        Ok(_) => Ok(Ok(executable)),
        // Go looked for the module on the network, which is not allowed.
        Err(why) if why.contains("disabled by GOPROXY=off") => Ok(Err("its module has not been downloaded".to_owned())),
        Err(why) => Err(why),
    }
}

fn csharp(options: &Options) -> Outcome<PathBuf> {
    let executable = options.work.join("Read.exe");
    let mut compiler = Command::new("mcs");
    compiler.arg("-optimize").arg(format!("-out:{}", executable.display())).arg("-r:System.Net.Http.dll");
    compiler.arg(root().join(SOURCES).join("Read.cs"));
    tool(compiler.arg(root().join("bindings/csharp/Runtime/*.cs")))?;
    Ok(executable)
}
