import pytest

from common.telemetry.topics import Identity, parse_topic

STATION = Identity("acme", "plant1", "hall2", "line3", "defect_inspection")


@pytest.mark.parametrize("leaf", ["events", "cmd/replay"])
def test_a_topic_leads_back_to_its_station(leaf):
    assert parse_topic(STATION.topic(leaf)) == (STATION, leaf)


@pytest.mark.parametrize(
    "topic",
    ["", "v1", "v1/a/b/c/d/e", "v2/a/b/c/d/e/events", "v1/a//c/d/e/events", "v1/a/b/c/ d/e/x"],
)
def test_a_strange_topic_is_refused(topic):
    with pytest.raises(ValueError, match="needed"):
        parse_topic(topic)
