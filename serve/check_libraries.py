"""Whether the native libraries would load, without loading them: the images' build ends here if not.

    python -m serve.check_libraries --allow libcuda.so.1     # exits 1 and names each library that lacks something

`libcuda.so.1` is the driver's: the node brings it with the GPU.
"""

from __future__ import annotations

import argparse
import sys

from serve.engine.native_libraries import LibraryError, installed, lacking


def main(arguments: list[str] | None = None) -> int:
    """Print each library that lacks something; 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--allow", action="append", default=[], help="a library that the node brings, not the image")
    allowed = set(parser.parse_args(arguments).allow)
    try:
        found = {path: [name for name in lacking(path) if name not in allowed] for path in installed()}
    except LibraryError as error:
        print(error, file=sys.stderr)
        return 1
    if not found:
        print("llama_cpp is installed without libraries: build it with shared ones", file=sys.stderr)
        return 1
    for path, names in found.items():
        if names:
            print(f"{path.name} needs {', '.join(names)}, which is not here", file=sys.stderr)
    if any(found.values()):
        return 1
    print(f"{len(found)} libraries have all that they need")
    return 0


if __name__ == "__main__":
    sys.exit(main())
