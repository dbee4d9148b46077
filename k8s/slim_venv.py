"""Take out of an image's virtual environment what a service never reads, and put llama.cpp's libraries in one place.

llama-cpp-python's wheel carries every library up to six times (twice as a file, and links become files in a zip), and
CPU variants outside the folder that its loader searches. Uses nothing outside the standard library.

    python k8s/slim_venv.py /opt/venv
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# pip is for building; tests and headers are not run or compiled against.
PACKAGES = ("pip", "setuptools", "wheel")
FOLDERS = ("include", "lib", "bin", "share")  # of site-packages: what CMake installed beside the package


def site_packages(venv: Path) -> Path:
    """The one site-packages folder of an environment."""
    found = list(venv.glob("lib/python3*/site-packages"))
    if len(found) != 1:
        raise SystemExit(f"{venv} has {len(found)} site-packages folders; expected a virtual environment with one")
    return found[0]


def gather_libraries(site: Path) -> None:
    """CPU and GPU variants into llama_cpp/lib; copies of one library become links again."""
    libraries = site / "llama_cpp" / "lib"
    if not libraries.is_dir():
        raise SystemExit(f"{libraries} is missing: install llama-cpp-python first")
    for variant in (site / "bin").glob("libggml-*.so"):
        variant.replace(libraries / variant.name)
    by_content: dict[tuple[int, bytes], Path] = {}
    for library in sorted(libraries.glob("*.so*"), key=lambda path: (-len(path.name), path.name)):
        if library.is_symlink():
            continue
        content = (library.stat().st_size, library.read_bytes())
        first = by_content.setdefault(content, library)
        if first != library:
            library.unlink()
            library.symlink_to(first.name)


def main() -> int:
    """Slim the environment named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python slim_venv.py VENV")
    venv = Path(sys.argv[1])
    site = site_packages(venv)
    gather_libraries(site)
    for name in FOLDERS:
        shutil.rmtree(site / name, ignore_errors=True)
    for name in PACKAGES:
        for path in (site / name, *site.glob(f"{name}-*.dist-info")):
            shutil.rmtree(path, ignore_errors=True)
    for tests in [*site.glob("*/tests"), *site.glob("*/*/tests")]:
        shutil.rmtree(tests)
    for tool in venv.glob("bin/pip*"):
        tool.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
