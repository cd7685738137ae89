"""The privacy statement: made of the settings, the same each time, true to them."""

from dataclasses import replace

import pytest

from apps.retail_analytics.config import APP, Privacy, Settings
from apps.retail_analytics.statement import LANGUAGES, statement
from apps.retail_analytics.statement_words import WORDS
from common.config import load

SHIPPED = load(Settings, APP / "app.toml")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_the_same_each_time_and_leaves_no_gap(language):
    words = statement(SHIPPED, language)
    assert words == statement(load(Settings, APP / "app.toml"), language)
    assert "{" not in words
    for heading in ("# ", "## "):
        assert heading in words
    for camera in SHIPPED.camera:
        assert f"**{camera.name}**" in words


def test_both_languages_say_the_same_things():
    assert set(WORDS["en"]) == set(WORDS["de"])
    for key, words in WORDS["en"].items():
        assert set(_holes(words)) == set(_holes(WORDS["de"][key])), key
    assert WORDS["en"]["all"].count("\n## ") == WORDS["de"]["all"].count("\n## ")


def test_it_follows_the_settings():
    strict = replace(SHIPPED, privacy=Privacy(interval_min=60, k=25, merge_up_to_min=0))
    words = statement(strict, "en")
    assert "aligned intervals of 60 min. A count of 1 to 24 people is not told" in words
    assert "It stays untold." in words
    assert "only of 25 people" in words


def test_nothing_leaves_unless_it_is_switched_on():
    assert "nobody: nothing leaves this device" in statement(SHIPPED, "en")
    sending = replace(
        SHIPPED,
        telemetry={"enabled": True, "host": "broker.plant"},
        webhook={"enabled": True, "url": "https://user:secret@erp.plant/counts"},
        notification={"enabled": True, "email": {"host": "mail.plant", "password": "secret"}},
    )
    words = statement(sending, "en")
    for host in ("broker.plant", "erp.plant", "mail.plant"):
        assert host in words
    assert "secret" not in words
    assert "nobody: nothing leaves" not in words


def test_masks_limits_and_calls_are_named():
    words = statement(SHIPPED, "en")
    assert "Masked: street" in words
    assert "more than 40 are inside" in words
    assert "when 4 or more wait for 20 s" in words
    without = replace(
        SHIPPED, camera=SHIPPED.camera[:1], occupancy=replace(SHIPPED.occupancy, limit=0)
    )
    bare = statement(without, "en")
    assert "Masked: none" in bare
    assert "No limit is set." in bare
    assert "No queue is watched." in bare


def _holes(words):
    return [part.partition("}")[0] for part in words.split("{")[1:]]
