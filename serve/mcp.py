"""The MCP server over standard input and output, for desktop clients: `cricket mcp`, or `python -m serve.mcp`.

Loads season and model in this process by the settings of the environment (serve/settings.py). The log goes to standard
error: standard output belongs to the protocol.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from data.command_line import command_line, reported, run

app = command_line()


@app.command()
@reported(interrupted="")
def mcp() -> None:
    """Serve the tools of /mcp over standard input and output; settings come from the environment."""
    asyncio.run(_serve())


async def _serve() -> None:
    from serve.api.mcp_tools import server
    from serve.api.stats import StatsPool
    from serve.reload import reload
    from serve.seasons import Seasons
    from serve.service import Service
    from serve.settings import Settings
    from serve.telemetry.otel import Telemetry

    settings = Settings()
    logging.basicConfig(stream=sys.stderr, level=settings.log_level, force=True)
    telemetry = Telemetry(settings)
    service = Service(settings, telemetry)
    await service.start()
    try:
        while not service.state.ready:
            if service.failed or service.retrying:
                raise SystemExit(service.state.reason)
            await asyncio.sleep(0.05)
        seasons = Seasons(service)
        watching = asyncio.create_task(reload(service, seasons))
        await server(service, seasons, StatsPool(seasons, settings)).run_stdio_async()
        watching.cancel()
    finally:
        await service.stop()
        telemetry.close()


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
