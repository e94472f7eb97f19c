"""The package: how it finds its library, what is in its wheel, its example and its page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from platform import machine

import dl_auth
from dl_auth import Status
from support import GateTest, gate, platform, python, run, way_to_the_gate

HERE = Path(__file__).resolve().parent.parent
sys.path.append(str(HERE))
import backend


class LibraryTest(unittest.TestCase):
    def test_every_status(self) -> None:
        program = """
import asyncio, dl_auth
for status in [*dl_auth.Status, -77]:
    auth = dl_auth.Auth(token=str(int(status)))
    calls = [auth.token, auth.token_within, auth.bearer, auth.claims, auth.info, lambda: auth.token(0)]
    calls += [lambda: auth.invalidate("it"), lambda: auth.set_credentials(password="it")]
    calls += [lambda: dl_auth.jwt_claims("it"), lambda: dl_auth.jwt_expiry("it")]
    for call in calls:
        try:
            call()
        except dl_auth.Error as error:
            assert (error.status, error.http_status, error.retry_after) == (status, 418, 1.5), repr(error)
            assert error.message and error.status.name in error.message, error
            assert isinstance(error, TimeoutError) == (status == dl_auth.Status.TIMEOUT)
        else:
            raise AssertionError(status)
for status in (dl_auth.Status.PENDING, dl_auth.Status.TOO_SHORT):  # which one that may wait would wait on for
    auth = dl_auth.Auth(token=str(int(status)))
    auth.info = None  # what is asked first for how long, and fails likewise here
    for call in (lambda: auth.token(0), lambda: auth.token_within(0, 0), lambda: asyncio.run(auth.token_async(0))):
        try:
            call()
        except dl_auth.Error as error:
            assert (error.status, error.http_status, error.retry_after) == (status, 418, 1.5), repr(error)
        else:
            raise AssertionError(status)
"""
        ran = python(program, DL_AUTH_LIBRARY=f"{os.environ['STUB_FAILING']}/libdl_auth.so.0")
        self.assertEqual((ran.returncode, ran.stdout), (0, ""))

    def test_library_missing(self) -> None:
        nothing = f"{os.environ['SCRATCH']}/nothing/libdl_auth.so.0"
        ran = python("import dl_auth", DL_AUTH_LIBRARY=nothing)
        self.assertIn(f"ImportError: dl_auth: the library {nothing} (named by DL_AUTH_LIBRARY)", ran.stdout)
        # From the source tree, which has no library: the loader is asked.
        ran = python("import dl_auth", PYTHONPATH=str(HERE / "src"), LD_LIBRARY_PATH="")
        for told in ("ImportError: dl_auth: the library libdl_auth.so.0 (", f"{HERE}/src/dl_auth has no libdl_auth.so"):
            self.assertIn(told, ran.stdout)

    def test_library_too_old(self) -> None:
        stub = f"{os.environ['STUB_OLD']}/libdl_auth.so.0"
        by_the_loader = {"PYTHONPATH": str(HERE / "src"), "LD_LIBRARY_PATH": os.environ["STUB_OLD"]}
        for environment in ({"DL_AUTH_LIBRARY": stub}, by_the_loader):
            ran = python("import dl_auth", **environment)
            self.assertIn("ImportError: dl_auth: the library libdl_auth.so.0 at " + os.path.dirname(stub), ran.stdout)
            self.assertIn("version is 0.0.9 and its ABI 0", ran.stdout)
        # A library of something else has no version at all.
        self.assertIn("version is unknown", python("import dl_auth", DL_AUTH_LIBRARY="libc.so.6").stdout)

    def test_the_variable_wins_over_the_library_of_the_wheel(self) -> None:
        program = "import dl_auth; print(dl_auth.version())"
        ran = python(program, DL_AUTH_LIBRARY=f"{os.environ['STUB_FAILING']}/libdl_auth.so.0")
        self.assertEqual(ran.stdout, "0.0.9\n")
        self.assertEqual(python(program).stdout, f"{dl_auth.version()}\n")

    def test_a_program_called_token_py(self) -> None:
        """Its name is that of a module of Python's, which the import must not bring in."""
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "token.py").write_text("import dl_auth\nprint(dl_auth.version())\n")
            ran = run([sys.executable, "token.py"], cwd=directory)
        self.assertEqual(ran.stdout, f"{dl_auth.version()}\n")


class WheelTest(unittest.TestCase):
    def test_the_wheel_is_this_platform_s_and_holds_the_library(self) -> None:
        wheel = Path(os.environ["WHEEL"])
        named = re.fullmatch(r"dl_auth-(.+)-(py3-none-.+)\.whl", wheel.name)  # which pip has installed here
        assert named, wheel.name
        version, tag = named.groups()
        self.assertEqual(version, dl_auth.version())
        self.assertNotEqual(tag, "py3-none-any")
        about = f"dl_auth-{dl_auth.version()}.dist-info"
        with zipfile.ZipFile(wheel) as archive:
            library = Path(os.environ["LIBRARY_DIR"], "libdl_auth.so").read_bytes()
            self.assertTrue(archive.read("dl_auth/libdl_auth.so") == library)
            self.assertIn(f"Tag: {tag}\n", archive.read(f"{about}/WHEEL").decode())
            modules = {path.relative_to(HERE / "src").as_posix() for path in HERE.glob("src/dl_auth/**/*.py")}
            licences = {f"{about}/licenses/LICENSE-{name}" for name in ("APACHE", "MIT")}
            told = {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
            others = {"dl_auth/py.typed", "dl_auth/libdl_auth.so"}
            self.assertEqual(set(archive.namelist()), modules | licences | told | others)

    def test_auditwheel_agrees_with_the_tag_of_a_release(self) -> None:
        """The tag of a release names the glibc that the library needs. auditwheel finds the same one."""
        library = Path(os.environ["LIBRARY_DIR"], "libdl_auth.so")
        major, minor = backend.glibc_of(library.read_bytes())
        tag = f"manylinux_{major}_{minor}_{machine()}"
        program = "import sys, backend; print(backend.build_wheel(sys.argv[1]))"
        variables = {"WHEEL_TAG": tag, "WHEEL_VERSION": dl_auth.version(), "PYTHONPATH": str(HERE)}
        with tempfile.TemporaryDirectory() as directory:
            ran = run([sys.executable, "-c", program, directory], env={**os.environ, **variables})
            self.assertEqual(ran.stdout, f"dl_auth-{dl_auth.version()}-py3-none-{tag}.whl\n")
            ran = run([sys.executable, "-m", "auditwheel", "show", f"{directory}/{ran.stdout.strip()}"])
        self.assertIn(f'platform tag: "{tag}".', " ".join(ran.stdout.split()))

    def test_the_platform_s_tag_is_pip_s(self) -> None:
        for platform, narrow, tag in [
            ("linux-x86_64", False, "linux_x86_64"),
            ("linux-x86_64", True, "linux_i686"),
            ("linux-aarch64", False, "linux_aarch64"),
            ("linux-aarch64", True, "linux_armv7l"),
            ("linux-i686", True, "linux_i686"),
            ("macosx-14-arm64", False, "macosx_14_0_arm64"),
            ("macosx-14.0-arm64", False, "macosx_14_0_arm64"),
            ("macosx-14.5-arm64", False, "macosx_14_0_arm64"),
            ("macosx-11-x86_64", False, "macosx_11_0_x86_64"),
            ("macosx-10.9-universal2", False, "macosx_10_9_universal2"),
            ("win-amd64", False, "win_amd64"),
            ("win32", True, "win32"),
        ]:
            self.assertEqual(backend.platform_tag(platform, narrow), tag)

    def test_a_wheel_of_a_copy_is_the_same_wherever_the_copy_is(self) -> None:
        """As with `COPY bindings/python /app` in a Dockerfile."""
        with zipfile.ZipFile(os.environ["WHEEL"]) as archive:
            wanted = set(archive.namelist())
        with tempfile.TemporaryDirectory() as scratch:
            below_the_root = "/" if os.access("/", os.W_OK) else scratch
            app = os.path.join(below_the_root, f"dl_auth_test_{os.getpid()}")
            for place in (app, f"{scratch}/a directory, with spaces", f"{scratch}/bindings/python"):
                with self.subTest(place=place):
                    self.addCleanup(shutil.rmtree, place, True)
                    shutil.copytree(HERE, place, ignore=shutil.ignore_patterns("__pycache__"))
                    for directory, _, _ in os.walk(place):
                        os.utime(directory, (1, 1))
                    self.assertEqual(self.wheel_of(place, scratch), wanted)
                    for directory, _, _ in os.walk(place):  # it may be one that cannot be written into
                        self.assertEqual(os.stat(directory).st_mtime, 1, f"something was written into {directory}")

    def wheel_of(self, source: str, scratch: str) -> set[str]:
        """What is in the wheel that pip makes of a directory, or of a source distribution."""
        shutil.rmtree(f"{scratch}/wheel", ignore_errors=True)
        ran = run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "-w", f"{scratch}/wheel", source])
        self.assertEqual(ran.returncode, 0, ran.stdout)
        with zipfile.ZipFile(f"{scratch}/wheel/{Path(os.environ['WHEEL']).name}") as archive:
            return set(archive.namelist())

    def test_a_wheel_of_the_source_distribution_is_the_same(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            name = backend.build_sdist(scratch)
            self.assertEqual(name, f"dl_auth-{dl_auth.version()}.tar.gz")
            with tarfile.open(f"{scratch}/{name}") as archive:
                self.assertTrue(all(file.startswith(name[: -len(".tar.gz")] + "/") for file in archive.getnames()))
                self.assertFalse(any(".so" in file or "pycache" in file for file in archive.getnames()))
            with zipfile.ZipFile(os.environ["WHEEL"]) as wheel:
                self.assertEqual(self.wheel_of(f"{scratch}/{name}", scratch), set(wheel.namelist()))

    def test_without_the_http_clients(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            with zipfile.ZipFile(os.environ["WHEEL"]) as archive:
                archive.extractall(directory)

            def alone(program: str) -> str:
                command = [sys.executable, "-S", "-c", program]  # without site-packages
                return run(command, env={**os.environ, "PYTHONPATH": directory}).stdout

            self.assertEqual(alone("import dl_auth; print(dl_auth.__file__)"), f"{directory}/dl_auth/__init__.py\n")
            for client in ("requests", "httpx"):
                told = alone(f"import dl_auth.{client}")
                self.assertIn(f"ImportError: dl_auth.{client} needs the package `{client}`: pip install {client}", told)
        told = python("import sys; sys.modules['anyio'] = None; import dl_auth.httpx").stdout
        self.assertIn("ImportError: dl_auth.httpx needs the package `anyio`: pip install anyio", told)


def environment() -> dict[str, str]:
    """That of a program that logs in at the gate."""
    way = {f"DL_AUTH_{option.upper()}": value for option, value in way_to_the_gate().items()}
    return {**os.environ, **way}


class FrozenTest(GateTest):
    def test_pyinstaller_takes_the_library_along(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "frozen.py").write_text(
                "import dl_auth\nprint(dl_auth.Auth().token())\nprint(dl_auth._library._place_found[0])\n"
            )
            command = [sys.executable, "-m", "PyInstaller", "--log-level", "WARN", "--onedir", "frozen.py"]
            ran = run(command, cwd=directory, env={**os.environ, "PYINSTALLER_CONFIG_DIR": f"{directory}/cache"})
            self.assertEqual(ran.returncode, 0, ran.stdout)
            moved = f"{directory}/on another machine"
            shutil.move(f"{directory}/dist/frozen", moved)
            ran = run([f"{moved}/frozen"], env={**environment(), "LD_LIBRARY_PATH": ""})
            self.assertEqual(ran.stdout, f"{gate('/last_token')}\n{moved}/_internal/dl_auth/libdl_auth.so\n")


class PageTest(GateTest):

    def test_example(self) -> None:
        command = [sys.executable, str(HERE / "example/login.py")]
        told = subprocess.check_output(command, env=environment(), text=True)
        lines = [
            rf"token   {re.escape(gate('/last_token')[:20])}\.\.\. \(\d+ bytes\)",
            r"claims  \{.*\}",
            r"expiry  \d{10} \(Unix seconds\)",
            r"first   \d+\.\d ms \(login over TLS\)",
            r"cached  0\.\d{6} ms \(mean of 1000 calls\)",
        ]
        self.assertRegex(told, "^" + "\n".join(lines) + "\n$")
        self.assert_counts(requests=1, logins=1)
        with platform() as server:
            told = subprocess.check_output([*command, server.url], env=environment(), text=True)
            self.assertTrue(told.endswith(" calls)\nanswer  200\n"), told)
            self.assertEqual(server.tokens, [gate("/last_token")])

    def test_readme(self) -> None:
        page = (HERE / "README.md").read_text()
        with tempfile.TemporaryDirectory() as directory, platform() as server:
            repository = HERE.parent.parent
            Path(directory, "bindings").symlink_to(repository / "bindings")
            Path(directory, "password.txt").write_text(way_to_the_gate()["password"] + "\n")
            Path(directory, "target").mkdir()
            Path(directory, "target/release").symlink_to(os.environ["LIBRARY_DIR"])
            told = ""
            for language, block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
                if language == "python":
                    name = re.match(r"# (\w+\.py)", block)
                    assert name, block
                    Path(directory, name[1]).write_text(block)
                    continue
                self.assertEqual(language, "sh")
                variables = {**environment(), "URL": server.url}
                variables["PIP_CONSTRAINT"] = str(HERE / "tests/requirements.txt")  # the same versions every time
                del variables["LIBRARY_DIR"], variables["DL_AUTH_PASSWORD"]
                variables["DL_AUTH_PASSWORD_FILE"] = "password.txt"
                ran = run(["bash", "-euc", block], cwd=directory, env=variables)
                self.assertEqual(ran.returncode, 0, ran.stdout)
                told += ran.stdout
            token = gate("/last_token")
            user = way_to_the_gate()["username"]
            for part in (rf"Bearer eyJ\S{{17}} {user}\n", "cached  0", rf"{len(token)}\nDENIED 401 ", "200\n200\n"):
                self.assertRegex(told, part)
            self.assertEqual(server.tokens, [token] * 2)
