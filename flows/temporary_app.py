"""What Prefect's temporary server serves: Prefect's own application, imported quickly."""

from contextlib import suppress
from typing import Any

from flows.ahead import without_collecting
from flows.empty_database import NAME, furnish


def create() -> Any:
    """Make the application, as uvicorn asks for it; end this process where the profile names another server.

    That is asked here as well, as the process that starts this one does so before it has imported Prefect.
    """
    with without_collecting():
        from prefect.settings import get_current_settings

        settings = get_current_settings()
        if settings.api.url is not None:
            raise SystemExit(0)
        address = settings.server.database.connection_url
        if address is not None and address.get_secret_value().endswith(f"/{settings.home / NAME}"):
            with suppress(OSError):  # Prefect then makes one, or says why it cannot
                furnish(settings.home)
        from prefect.server.api.server import create_app

        return create_app()
