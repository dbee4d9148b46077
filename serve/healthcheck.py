"""Exit 0 if the service in this container is alive: the image's HEALTHCHECK, which needs no curl.

Requests /healthz (liveness) and not /readyz: a service that is still downloading is healthy. Of the settings, only PORT
is read.

    python -m serve.healthcheck
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Exit status: 0 alive, 1 not."""
    url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
    # A proxy of the environment does not reach this container.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=3) as reply:
            return 0 if reply.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
