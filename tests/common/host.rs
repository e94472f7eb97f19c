//! What the tests of the bindings and of their packages have in common: the environment of their programs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use dl_auth_gate::{Gate, Settings};

use super::{as_from_a_shell, in_a_clean_environment, library, root, run};

/// The directory of the library and of its files for pkg-config.
pub fn library_directory() -> &'static Path {
    static TOLD: OnceLock<()> = OnceLock::new();
    TOLD.get_or_init(|| drop(run(Command::new(root().join("packaging/pkg-config.sh")).arg(library()))));
    library()
}

/// A command of a binding's tests. Its environment names the gate and the libraries.
pub fn command(program: impl AsRef<OsStr>, gate: &Gate) -> Command {
    let mut command = Command::new(program);
    as_from_a_shell(in_a_clean_environment(&mut command));
    let Settings { username, password, .. } = Settings::default();
    command.envs([("GATE_URL", gate.url()), ("GATE_REFUSED_URL", gate.refused_url())]);
    command.envs([("GATE_USERNAME", username), ("GATE_PASSWORD", password)]);
    command.env("GATE_CONTROL_URL", gate.control_url()).env("GATE_CA_FILE", gate.ca_file());
    command.env("LIBRARY_DIR", library_directory()).env("PKG_CONFIG_PATH", library_directory());
    command
}
