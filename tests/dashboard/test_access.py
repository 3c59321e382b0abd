"""Who may call the dashboard, and what it costs Redis."""

import http.client
import time
from collections.abc import Callable
from threading import Thread
from urllib.parse import urlsplit

from swarm_support import Redis, wait_until
from viewer import Dashboard, Swarm

Start = Callable[..., Dashboard]


def test_other_sites_are_refused(dashboard: Start) -> None:
    server = dashboard("--write")
    pause = {"action": "pause", "task": None}
    assert server.request("api/limits", Host="evil.example")[0] == 403
    assert server.request("api/limits", Sec_Fetch_Site="cross-site")[0] == 403
    assert server.request("api/action", pause, Origin="http://evil.example")[0] == 403
    assert server.request("api/action", pause, Content_Type="text/plain")[0] == 415
    assert server.request("api/action", {"action": "burn"})[0] == 400
    assert server.request("api/action", pause)[0] == 200


def test_a_token_opens_the_dashboard(dashboard: Start) -> None:
    token = "0123456789abcdef"
    server = dashboard("--token", token)
    assert server.request("api/limits")[0] == 401
    assert server.request("api/limits", Authorization=f"Bearer {token}")[0] == 200
    parts = urlsplit(server.url)
    visit = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    visit.request("GET", f"/?token={token}")
    answer = visit.getresponse()
    cookie = answer.getheader("Set-Cookie") or ""
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    assert cookie.endswith("Path=/; HttpOnly; SameSite=Strict")
    assert server.request("api/limits", Cookie=cookie.split(";")[0])[0] == 200


def test_every_answer_has_a_policy(dashboard: Start) -> None:
    parts = urlsplit(dashboard().url)
    for path in ["/", "/assets/dashboard/main.js", "/api/limits", "/none"]:
        visit = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        visit.request("GET", path)
        policy = visit.getresponse().getheader("Content-Security-Policy") or ""
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), path


def test_only_listed_assets_are_served(dashboard: Start) -> None:
    parts = urlsplit(dashboard().url)

    def status(path: str) -> int:
        visit = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        visit.request("GET", f"/assets/{path}")
        return visit.getresponse().status

    assert status("dashboard/pages/job.js") == 200
    others = [
        "dashboard",
        "dashboard/",
        "SHA256SUMS",
        "dashboard/../uplot.js",
        "..%2f..%2fCargo.toml",
        "dashboard/%2e%2e/uplot.js",
        "/etc/passwd",
    ]
    assert [path for path in others if status(path) != 404] == []


def test_20_viewers_cost_two_calls_a_second(redis: Redis, swarm: Swarm, dashboard: Start) -> None:
    server = dashboard()
    parts = urlsplit(server.url)
    looks = [0] * 20

    def watch(at: int) -> None:
        visit = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        visit.request("GET", "/api/overview")
        for line in visit.getresponse():
            looks[at] += line.startswith(b"event: overview")

    for at in range(len(looks)):
        Thread(target=watch, args=(at,), daemon=True).start()
    wait_until(lambda: all(looks), 10, "an overview for each viewer")

    def calls() -> int:
        stats = redis.admin.info("commandstats")
        names = [f"cmdstat_{name}" for name in ("evalsha", "eval", "xread", "ping")]
        return sum(int(stats[name]["calls"]) for name in names if name in stats)

    before, begun, seen = calls(), time.monotonic(), sum(looks)
    wait_until(lambda: sum(looks) >= seen + 5 * len(looks), 30, "five more overviews for each")
    for _ in looks:
        server.get("api/history")
    per_second = (calls() - before) / (time.monotonic() - begun)
    assert per_second <= 2, per_second
