"""Counters and histograms, and their text as Prometheus' own parser reads it."""

from prometheus_client.parser import text_string_to_metric_families

from boxship.base.metrics import Counter, Family, Histogram, Sample, exposition, gauge


def parsed(*families: Family) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    found = text_string_to_metric_families(exposition(families))
    return {f.name: [(s.name, s.labels, s.value) for s in f.samples] for f in found}


def test_a_counter_without_labels_is_there_from_the_beginning() -> None:
    counter = Counter("things_total", "Things")
    assert parsed(counter.family()) == {"things": [("things_total", {}, 0)]}
    counter.add()
    counter.add(amount=2.5)
    assert parsed(counter.family()) == {"things": [("things_total", {}, 3.5)]}


def test_a_counter_for_each_value() -> None:
    counter = Counter("things_total", "Things", ("kind", "color"))
    assert parsed(counter.family()) == {}
    counter.add("a", "red")
    counter.add("b", "red")
    counter.add("a", "red")
    assert parsed(counter.family())["things"] == [
        ("things_total", {"kind": "a", "color": "red"}, 2),
        ("things_total", {"kind": "b", "color": "red"}, 1),
    ]


def test_buckets_add_up() -> None:
    histogram = Histogram("time_seconds", "Time", ("step",), (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 2.0):
        histogram.observe(seconds, "mount")
    assert parsed(histogram.family())["time_seconds"] == [
        ("time_seconds_bucket", {"step": "mount", "le": "0.1"}, 2),
        ("time_seconds_bucket", {"step": "mount", "le": "1"}, 3),
        ("time_seconds_bucket", {"step": "mount", "le": "+Inf"}, 4),
        ("time_seconds_sum", {"step": "mount"}, 2.65),
        ("time_seconds_count", {"step": "mount"}, 4),
    ]


def test_any_text_is_a_label() -> None:
    odd = 'a"b\\c\nd{}, ü'
    family = Family("x", "gauge", "help \\ with\nlines", ("name",), (Sample((odd,), 1),))
    assert parsed(family) == {"x": [("x", {"name": odd}, 1)]}
    (read,) = text_string_to_metric_families(exposition([family]))
    assert read.documentation == "help \\ with\nlines"


def test_numbers_keep_their_size() -> None:
    numbers = (0, 1 << 53, 0.1, 1e-9, 123456789.123456)
    families = [gauge(f"n{at}", "A number", number) for at, number in enumerate(numbers)]
    assert [samples[0][2] for samples in parsed(*families).values()] == list(numbers)
