"""What is asked is counted, by route and status; debugging is there while it is on."""

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, ...], float]


def counts(text: str) -> Samples:
    """Requests by method, route and status."""
    families = {f.name: f for f in text_string_to_metric_families(text)}
    return {
        (s.labels["method"], s.labels["route"], s.labels["code"]): s.value
        for s in families["boxship_http_request_seconds"].samples
        if s.name.endswith("_count")
    }


def test_requests_are_counted_by_route_and_status(api) -> None:
    for path in ("/_ping", "/v1.44/containers/web/json", "/containers/nobody/json", "/_ping"):
        api.client.request("GET", path)
    answer = api.client.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert counts(text) == {
        ("GET", "/_ping", "200"): 2,
        ("GET", "/containers/{id}/json", "200"): 1,
        ("GET", "/containers/{id}/json", "404"): 1,
    }
    assert "boxship_images 3\n" in text
    assert "engine_daemon_engine_cpus_cpus 2\n" in text
    later = counts(api.client.request("GET", "/metrics").body.decode())
    assert later["GET", "/metrics", "200"] == 1


def test_no_debugging_where_it_is_off(api) -> None:
    for path in ("vars", "stacks", "profile"):
        answer = api.client.request("GET", f"/debug/{path}")
        assert answer.status == 404
        assert b"not in debug mode" in answer.body
