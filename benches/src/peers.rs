//! Finds and compiles the measured programs. A peer that is not installed is reported as missing, with the command that
//! installs it. A peer that is installed and does not compile is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host_programs;
use crate::options::{Options, shown};
use crate::peer::Peer;
use crate::run::{Outcome, clean, tool};

/// A missing peer, the reason, and the command that installs it.
pub struct Missing {
    pub peer: Peer,
    pub why: String,
    pub install: String,
}

/// Everything that was found: programs to run, and the file with the system's root certificates.
pub struct Peers {
    work: PathBuf,
    found: BTreeMap<Peer, PathBuf>,
    pub missing: Vec<Missing>,
}

impl Peers {
    /// Compiles our programs, and each peer that is available. Prints on stderr which are missing.
    pub fn find(options: &Options) -> Outcome<Self> {
        let gcc = "gcc, which every measurement needs (apt-get install gcc libc6-dev)";
        tool(clean("gcc").arg("--version")).map_err(|why| format!("{gcc}: {why}"))?;
        for program in ["read", "stall", "login", "handles"] {
            let library = options.built.display();
            compile(options, program, &[format!("-L{library}"), "-ldl_auth".into(), format!("-Wl,-rpath,{library}")])?;
        }
        let mut peers = Self { work: options.work.clone(), found: BTreeMap::new(), missing: Vec::new() };
        for peer in Peer::ALL {
            let found = match options.without.contains(&peer) {
                true => Err("left out on the command line".to_owned()),
                false => look(peer, options)?,
            };
            match found {
                Ok(path) => drop(peers.found.insert(peer, path)),
                Err(why) => {
                    let install = install(peer, options);
                    eprintln!("make bench: missing: {}: {why}\n  to install: {install}", peer.name());
                    peers.missing.push(Missing { peer, why, install });
                }
            }
        }
        Ok(peers)
    }

    /// The peer's program, or file, if it is not missing.
    pub fn get(&self, peer: Peer) -> Option<&Path> {
        self.found.get(&peer).map(PathBuf::as_path)
    }

    /// One of our programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }
}

/// The commands that install a peer.
fn install(peer: Peer, options: &Options) -> String {
    match peer {
        Peer::Curl => "apt-get install libcurl4-openssl-dev libcjson-dev".to_owned(),
        Peer::Go => {
            format!("apt-get install golang-go && (cd {} && go mod download)", shown(&options.peers.join("go")))
        }
        Peer::Dtlpy => {
            let venv = venv(options);
            let (venv, sdk) = (shown(&venv), dtlpy());
            format!("apt-get install python3-venv && python3 -m venv {venv} && {venv}/bin/pip install {sdk}")
        }
        Peer::Cpp => "apt-get install g++".to_owned(),
        Peer::GoHost => "apt-get install golang-go pkg-config && (cd benches/hosts/go && go mod download)".to_owned(),
        Peer::Python => "apt-get install python3".to_owned(),
        Peer::CSharp => "apt-get install mono-mcs mono-runtime libmono-cil-dev".to_owned(),
        Peer::Lua => "apt-get install luajit".to_owned(),
        Peer::Roots => "apt-get install ca-certificates".to_owned(),
        Peer::Redis => "apt-get install redis-server".to_owned(),
        Peer::NoRedis => "make bench".to_owned(),
    }
}

/// The peer, or the reason why it is missing. Returns an error if it is installed and broken.
fn look(peer: Peer, options: &Options) -> Outcome<Result<PathBuf, String>> {
    match peer {
        Peer::Curl => curl(options),
        Peer::Go => go(options),
        Peer::Dtlpy => installed_dtlpy(options),
        Peer::Cpp | Peer::GoHost | Peer::Python | Peer::CSharp | Peer::Lua => host_programs::look(peer, options),
        Peer::Roots => {
            let file = PathBuf::from("/etc/ssl/certs/ca-certificates.crt");
            Ok(if file.is_file() { Ok(file) } else { Err(format!("there is no {}", file.display())) })
        }
        Peer::Redis => Ok(match tool(clean("redis-server").arg("--version")) {
            Ok(_) => Ok(PathBuf::from("redis-server")),
            Err(_) => Err("there is no redis-server".to_owned()),
        }),
        Peer::NoRedis => without_redis(options).map(Ok),
    }
}

const CURL_LIBRARIES: [&str; 2] = ["-lcurl", "-lcjson"];

fn curl(options: &Options) -> Outcome<Result<PathBuf, String>> {
    let probe = options.work.join("probe.c");
    let text = "#include <curl/curl.h>\n#include <cjson/cJSON.h>\nint main(void) { return 0; }\n";
    std::fs::write(&probe, text).map_err(|error| format!("{}: {error}", probe.display()))?;
    let executable = options.work.join("probe");
    if tool(clean("gcc").arg(&probe).arg("-o").arg(executable).args(CURL_LIBRARIES)).is_err() {
        return Ok(Err("no headers or libraries of libcurl and cJSON".to_owned()));
    }
    compile(options, "login_curl", &CURL_LIBRARIES.map(str::to_owned)).map(Ok)
}

fn go(options: &Options) -> Outcome<Result<PathBuf, String>> {
    let source = options.peers.join("go");
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go"); // it needs the environment to find its caches
        command.current_dir(&source).args(arguments);
        command.envs([
            ("GOPROXY", "off"),
            ("GOFLAGS", "-mod=readonly"),
            ("GOTOOLCHAIN", "local"),
            ("CGO_ENABLED", "0"),
        ]);
        command
    };
    if tool(&mut go(&["version"])).is_err() {
        return Ok(Err("there is no Go compiler".to_owned()));
    }
    match tool(&mut go(&["list", "-m", "-f", "{{.Dir}}", "golang.org/x/oauth2"])) {
        Ok(directory) if !directory.is_empty() => {}
        // Go looked for the module on the network, which is not allowed.
        Err(why) if !why.contains("disabled by GOPROXY=off") => return Err(why),
        _ => return Ok(Err("its module has not been downloaded".to_owned())),
    }
    let program = options.work.join("go_reuse");
    let build = ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"];
    tool(go(&build).arg(&program).arg("."))?;
    Ok(Ok(program))
}

/// Our library without Redis. It has a separate directory, because its file has the same name.
fn without_redis(options: &Options) -> Outcome<PathBuf> {
    let directory = options.work.join("without-redis");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(crate::options::root()).args(["build", "--release", "--locked", "--quiet"]);
    cargo.args(["--package", "dl_auth_shared", "--no-default-features", "--target-dir"]);
    tool(cargo.arg(&directory))?;
    Ok(directory.join("release/libdl_auth.so"))
}

fn installed_dtlpy(options: &Options) -> Outcome<Result<PathBuf, String>> {
    let python = venv(options).join("bin/python");
    let find = "import importlib.metadata as m; print(*['dtlpy==' + d.version for d in m.distributions(name='dtlpy')])";
    let found = if python.exists() { tool(clean(&python).args(["-c", find]))? } else { String::new() };
    Ok(match found.as_str() {
        "" => Err(format!("it is not installed in {}", shown(&venv(options)))),
        found if found == dtlpy() => Ok(python),
        other => Err(format!("{other} is installed, not {}", dtlpy())),
    })
}

fn venv(options: &Options) -> PathBuf {
    options.work.join("dtlpy")
}

/// Name and version of the SDK, in pip's form.
fn dtlpy() -> &'static str {
    include_str!("../peers/requirements.txt").trim()
}

fn compile(options: &Options, program: &str, libraries: &[String]) -> Outcome<PathBuf> {
    let executable = options.work.join(program);
    let mut gcc = clean("gcc");
    gcc.args(["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", "-I"])
        .arg(crate::options::root().join("include"))
        .arg(options.peers.join(program).with_extension("c"))
        .arg("-o")
        .arg(&executable)
        .args(libraries);
    tool(&mut gcc)?;
    Ok(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hints_name_the_packages_that_the_setup_installs() {
        let options = Options::read(std::iter::empty()).unwrap();
        let hints = Peer::ALL.map(|peer| install(peer, &options));
        let packages = |hint: &str| -> Vec<String> {
            let packages = hint.strip_prefix("apt-get install ").map(|rest| rest.split(" && ").next().unwrap());
            packages.into_iter().flat_map(|packages| packages.split(' ')).map(str::to_owned).collect()
        };
        let mut shown: Vec<String> = hints.iter().flat_map(|hint| packages(hint)).collect();
        let lines = include_str!("../../tests/packages.txt").lines();
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut listed: Vec<String> =
            words.filter(|words| ["b", "+"].contains(&words[1])).map(|words| words[0].to_owned()).collect();
        shown.sort();
        shown.dedup();
        listed.sort();
        assert_eq!(shown, listed);
    }
}
