"""Makes a checkout ready to run: Debian packages, `.venv`, pinned Python packages. Asks the network only when it must.

Runs with any Python 3 and its standard library. A stamp in `.venv` remembers what was installed: when nothing has
changed, a run takes a fraction of a second.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup-stamp"
LOCK = ROOT / "requirements.lock"
PACKAGES = Path(__file__).with_name("debian-packages.txt")
PYTHON = "python3.11"
BUILT_HERE = ("pyscard", "tpm2-pytss")
BUILD_TOOLS = (
    *("setuptools", "wheel", "setuptools-scm", "vcs-versioning", "packaging", "pkgconfig"),
    *("cffi", "pycparser", "cryptography"),
)


def wanted_packages(text: str) -> list[str]:
    """Names of the package list: one a line, `#` begins a comment."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def locked(lock: str, names: tuple[str, ...]) -> str:
    """The entries of these packages, hashes included, out of the text of a lock."""
    kept: list[str] = []
    keep = False
    for line in lock.splitlines(keepends=True):
        if line[:1] not in (" ", "#"):
            keep = line.partition("==")[0].strip() in names
        if keep and not line.lstrip().startswith("#"):
            kept.append(line)
    return "".join(kept)


def missing_packages(wanted: list[str]) -> list[str]:
    """Those that dpkg does not report as installed."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *wanted]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[1] for line in answer.splitlines() if line.startswith("installed ")}
    return [name for name in wanted if name not in installed]


def install_packages(missing: list[str]) -> None:
    """Install with apt as root or through sudo without a password; else say which line to type, and stop."""
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode != 0:
            line = " ".join(command)
            sys.exit(
                f"Debian packages are missing. Type this once, then start again:\n  sudo apt-get update && sudo {line}"
            )
        prefix = [sudo, "-n"]
    print(f"Installing {len(missing)} Debian packages…", flush=True)
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
    run([*quiet, "apt-get", "update", "--quiet"])
    run([*quiet, *command, "--quiet"])


def install_python(lock: str) -> None:
    """Create `.venv` and install exactly what the lock names. `BUILT_HERE` is built, with the locked build tools."""
    if not is_python_311():
        shutil.rmtree(VENV, ignore_errors=True)
        run([PYTHON, "-m", "venv", str(VENV)])
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--require-hashes", "--only-binary", ":all:"]
    print("Installing Python packages…", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        build_tools = Path(folder) / "build-tools.lock"
        build_tools.write_text(locked(lock, BUILD_TOOLS), encoding="utf-8")
        run([*pip, "--requirement", str(build_tools)])
    run([*pip, "--no-binary", ",".join(BUILT_HERE), "--no-build-isolation", "--requirement", str(LOCK)])


def is_python_311() -> bool:
    """Whether `.venv` works and has the Python we test on."""
    if not VENV_PYTHON.exists():
        return False
    ask = [str(VENV_PYTHON), "-c", "import sys, pip; print(*sys.version_info[:2])"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return answer.stdout.split() == ["3", "11"]


def run(command: list[str]) -> None:
    """Run, or stop with the command that failed."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code != 0:
        sys.exit(f"Set-up stopped: `{' '.join(command[:6])} …` ended with code {code}.")


def main() -> None:
    """Bring the checkout up to date."""
    package_text, lock = PACKAGES.read_text(encoding="utf-8"), LOCK.read_text(encoding="utf-8")
    if shutil.which("dpkg-query") is None:
        sys.exit("This project is set up on Debian 12: dpkg-query was not found.")
    missing = missing_packages(wanted_packages(package_text))
    if missing:
        install_packages(missing)
    if shutil.which(PYTHON) is None:
        sys.exit(f"{PYTHON} was not found. It is the Python of Debian 12, and the one this project is tested with.")
    fingerprint = hashlib.sha256(f"{VENV}\0{lock}\0{Path(__file__).read_text(encoding='utf-8')}".encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == fingerprint and VENV_PYTHON.exists():
        return
    install_python(lock)
    STAMP.write_text(fingerprint, encoding="ascii")


if __name__ == "__main__":
    main()
