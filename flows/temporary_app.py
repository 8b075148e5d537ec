"""What Prefect's temporary server serves: Prefect's own application, imported quickly."""

from typing import Any

from flows.ahead import without_collecting


def create() -> Any:
    """Make the application, as uvicorn asks for it; end this process where the profile names another server.

    That is asked here as well, as the process that starts this one does so before it has imported Prefect.
    """
    with without_collecting():
        from prefect.settings import get_current_settings

        if get_current_settings().api.url is not None:
            raise SystemExit(0)
        from prefect.server.api.server import create_app

        return create_app()
