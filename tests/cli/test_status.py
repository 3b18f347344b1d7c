"""The page of `stylebridge status`, from what servers answer: ready, busy, failed, and to strangers."""

from __future__ import annotations

from typing import Any

from stylebridge_server.cli.status import text

COUNTERS = {
    "facts": {"device": "cpu", "threads": "2"},
    "shots": 3,
    "memory": 512 << 20,
    "peak_memory": 600 << 20,
    "network": {"encode": 12, "decode": 1234},
    "caches": {
        "results": {"bytes": 10 << 20, "limit": 4 << 30, "hits": 3, "misses": 1},
        "disk": {"bytes": 0, "limit": 1 << 30, "hits": 0, "misses": 0, "fault": "No space left on device"},
    },
}
WORKER: dict[str, Any] = {
    "state": "ready",
    "device": "cpu",
    "fingerprint": "f00",
    "pid": 78,
    "restarts": 0,
    "failure": None,
    "running": 0,
    "waiting": 2,
    "counters": COUNTERS,
}
FACTS: dict[str, Any] = {
    "version": "0.1.0",
    "protocol": 1,
    "pid": 77,
    "uptime": 93784.2,
    "fingerprint": "f00",
    "clients": 1,
    "running": 0,
    "waiting": 2,
    "workers": [WORKER],
    "requests": {"frames": 60, "bytes_in": 0, "bytes_out": 5 << 20, "outcomes": [["render", "ok", 2]]},
    "sessions": [
        {"name": "ab12", "client": "Blender", "owner": True, "seconds": 61, "requests": 1, "worker": 0}
    ],
}


def test_everything_a_server_says() -> None:
    page = text(FACTS)
    for words in (
        "1 day, 2:03:04",
        "cpu, 2 threads",
        "512.0 MiB",
        "12 encode, 1,234 decode",
        "10.0 MiB of 4,096.0 MiB",
        "75%",
        "No space left on device",
        "0.0 MiB in, 5.0 MiB out",
        "Blender",
        "this user",
        "0:01:01",
    ):
        assert words in page, page
    rows = [line.split() for line in page.splitlines()]
    assert ["render", "ok", "2"] in rows and ["waiting", "2"] in rows and ["running", "0"] in rows
    assert "trouble" in page and "trouble" not in text({**FACTS, "workers": [{**WORKER, "counters": None}]})
    assert "device" not in page.splitlines()[-2]


def test_a_server_that_failed_and_one_that_says_little() -> None:
    failed = {**WORKER, "state": "failed", "pid": 0, "failure": "The worker ended.", "counters": None}
    assert "failed: The worker ended." in text({**FACTS, "workers": [failed]})
    little = {name: value for name, value in FACTS.items() if name not in ("sessions", "requests")}
    stranger = {**WORKER, "device": "", "pid": 0, "counters": {"frames": 3}}
    page = text({**little, "pid": 0, "workers": [stranger]})
    assert "process" not in page.split("Worker")[0] and "Blender" not in page


def test_several_devices() -> None:
    other = {**WORKER, "device": "cuda:1", "fingerprint": "b44", "state": "starting", "counters": None}
    sessions = [{**FACTS["sessions"][0], "worker": 1}]
    page = text({**FACTS, "workers": [{**WORKER, "device": "cuda:0"}, other], "sessions": sessions})
    assert "Worker cuda:0" in page and page.count("f00") == 1
    assert "b44: not the server's" in page.split("Worker cuda:1")[1]
    assert page.splitlines()[-1].split()[-1] == "cuda:1"
