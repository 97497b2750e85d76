"""A real browser for tests: Chromium as Debian has it, without a screen."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

REQUIRED: Final = "FLOWCORE_REQUIRE_BROWSER"
"""With this variable set a missing browser is a failure: so it is where one was installed on purpose."""
_OPTIONS: Final = (
    # Containers and small machines have neither the user namespaces of its sandbox nor a graphics card.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # It looks for nothing but what the tests ask for.
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Generator[Browser]:
    """Have a browser until the end of the block; without one the test is skipped, and says why."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        why = "no browser: chromium not found (Debian: apt-get install chromium)"
        if os.environ.get(REQUIRED):
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
