"""The basic scenarios over every way to reach Redis."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scenario import Drivers, Player, Scenario, load
from swarm_support import Certificates, Cluster, Language, Redis, Sentinels, add_acl_user, wait_until

BASIC = [scenario for scenario in load() if "basic" in scenario.tags]
# Each language as producer and as worker once; all pairs are played over plain TCP.
LANGUAGES = list(Language)
PAIRS = list(zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True))
EACH = pytest.mark.parametrize(
    ("scenario", "pair"),
    [pytest.param(scenario, pair, id=f"{scenario.name}-{pair[0]}-{pair[1]}") for scenario in BASIC for pair in PAIRS],
)
Pair = tuple[Language, Language]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_server(certificates: Certificates) -> Iterator[Redis]:
    with Redis(certificates=certificates) as server:
        yield server


@pytest.fixture(scope="module")
def three_masters() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@EACH
def test_tls(scenario: Scenario, pair: Pair, drivers: Drivers, tls_server: Redis, certificates: Certificates) -> None:
    address = {"url": tls_server.url, **certificates.options}
    Player(scenario, drivers, tls_server, f"tls-{scenario.name}-{pair[0]}", pair, address).play()


@EACH
def test_unix_socket(scenario: Scenario, pair: Pair, drivers: Drivers, servers: Callable[[dict[str, str]], Redis]) -> None:
    server = servers({})
    Player(scenario, drivers, server, f"unix-{scenario.name}-{pair[0]}", pair, {"socket": str(server.socket)}).play()
    server.command("FLUSHALL")


@EACH
def test_acl_user(scenario: Scenario, pair: Pair, drivers: Drivers, servers: Callable[[dict[str, str]], Redis]) -> None:
    """A user that may only what docs say it needs, and only on the keys of its cluster."""
    server = servers({})
    cluster = f"acl-{scenario.name}-{pair[0]}"
    add_acl_user(server, "limited", "s:e@c/ret", cluster)
    address = {"url": server.url, "username": "limited", "password": "s:e@c/ret"}
    Player(scenario, drivers, server, cluster, pair, address).play()
    server.command("FLUSHALL")


@EACH
def test_cluster(scenario: Scenario, pair: Pair, drivers: Drivers, three_masters: Cluster) -> None:
    server = three_masters.nodes[0]
    # Names whose slots are on different nodes, so that most members have to leave the node they came to first.
    cluster = f"cluster-{scenario.name}-{pair[0]}"
    Player(scenario, drivers, server, cluster, pair, {"url": three_masters.url}).play()
    foreign = [key for key in three_masters.all_keys() if not key.startswith(b"{cluster-")]
    assert not foreign


class TestErrors:
    """Servers that cannot be used differ by their typed error, alike in every language."""

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_unknown_authority(self, language: Language, drivers: Drivers, tls_server: Redis, tmp_path: Path) -> None:
        others = Certificates(tmp_path)
        _refused(drivers, language, "TLS", url=tls_server.url, **others.options)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_missing_certificate_file(self, language: Language, drivers: Drivers, tls_server: Redis) -> None:
        _refused(drivers, language, "TLS", url=tls_server.url, tls_ca="/nowhere/ca.pem")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_user_without_permission(
        self, language: Language, drivers: Drivers, servers: Callable[[dict[str, str]], Redis]
    ) -> None:
        server = servers({})
        add_acl_user(server, "elsewhere", "secret", "another-cluster")
        _refused(drivers, language, "PERMISSION_DENIED", url=server.url, username="elsewhere", password="secret")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_read_only_replica(self, language: Language, drivers: Drivers, servers: Callable[[dict[str, str]], Redis]) -> None:
        master = servers({})
        replica = servers({"replicaof": f"127.0.0.1 {master.port}", "repl-diskless-sync-delay": "0"})
        wait_until(lambda: replica.command("ROLE")[3] == b"connected", 10, "the replica is in sync")
        _refused(drivers, language, "READ_ONLY_REPLICA", url=replica.url, timeout=1000)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_sentinel_instead_of_a_server(self, language: Language, drivers: Drivers, sentinels: Sentinels) -> None:
        _refused(drivers, language, "WRONG_SERVER", url=sentinels.sentinels[0].url, timeout=1000)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_server_instead_of_a_sentinel(
        self, language: Language, drivers: Drivers, servers: Callable[[dict[str, str]], Redis]
    ) -> None:
        sentinel = f"127.0.0.1:{servers({}).port}"
        _refused(drivers, language, "WRONG_SERVER", sentinels=sentinel, sentinel_master="main", timeout=1000)


@pytest.fixture(scope="module")
def sentinels() -> Iterator[Sentinels]:
    with Sentinels() as running:
        yield running


def _refused(drivers: Drivers, language: Language, code: str, **options: object) -> None:
    driver = drivers.take(language)
    try:
        answer = driver.ask("master", cluster="refused", **options)
        if answer.ok:
            answer = driver.ask("ready")
        assert answer.code == code, answer.fields
        assert answer["message"], "an error has a message"
    except BaseException:
        driver.close()
        raise
    drivers.give_back(driver)
