"""What the tests of the dashboard share: a server, the program `swarm` and a real browser."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.service import Service
from swarm_support import Redis
from viewer import Dashboard, Page, Swarm


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def swarm(redis: Redis) -> Iterator[Swarm]:
    program = Swarm(redis)
    yield program
    program.close()


@pytest.fixture
def dashboard(swarm: Swarm) -> Callable[..., Dashboard]:
    return lambda *arguments: Dashboard(swarm, *arguments)


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    quiet = ["disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"]
    for argument in ["headless=new", "no-sandbox", "disable-gpu", "window-size=1280,900", "hide-scrollbars", *quiet]:
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield browser
    browser.quit()


@pytest.fixture
def browse(driver: Chrome) -> Iterator[Callable[[Dashboard], Page]]:
    driver.get_log("browser")
    yield lambda dashboard: Page(driver, dashboard.url)
    driver.get("about:blank")
