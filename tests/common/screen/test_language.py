"""The catalogues: complete, nothing left over, and every place for a value kept."""

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.alarms import kpi
from common.errors import ConfigError
from common.screen import language
from common.screen.language import decimal, languages, mark, preferred, tr, use

ROOT = Path(__file__).parents[3]
SHARED = [
    *(ROOT / "common/screen").glob("*.py"), *ROOT.glob("common/report*.py"),
    ROOT / "apps/screen.py",
]  # fmt: skip
APPS = sorted(path.parent for path in ROOT.glob("apps/*/screen.py"))
KEYED = ("tr", "mark")
ALARM_TEXTS = ("text", "cause", "consequence", "response")


def keys(path: Path) -> Iterator[str]:
    """The keys in a module: what stands in tr() and mark()."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in KEYED:
            text = node.args[0]
            assert not isinstance(text, ast.JoinedStr), f"{path}:{node.lineno}: an f-string"
            if isinstance(text, ast.Constant):
                yield text.value


def alarm_keys(app: Path) -> Iterator[str]:
    """The texts of an app's alarms: keys, too."""
    table = tomllib.loads((app / "alarms.toml").read_text("utf-8"))
    for alarm in table.values():
        yield from (alarm[name] for name in ALARM_TEXTS if name in alarm)


def model_keys(app: Path) -> Iterator[str]:
    """What an app's models call the things they see: keys, too."""
    for card in app.glob("models/*/model.toml"):
        yield from tomllib.loads(card.read_text("utf-8")).get("labels", ())


def words(folder: Path, table: str = "words") -> dict[str, str]:
    path = folder / "words" / "de.toml"
    found = tomllib.loads(path.read_text("utf-8")).get(table, {})
    return dict(found)


def shared_keys() -> set[str]:
    named = {row.name for row in kpi.kpis([], 0.0, 1.0).rows()}
    return {key for path in SHARED for key in keys(path)} | named


def app_keys(app: Path) -> set[str]:
    own = {key for path in app.glob("screen*.py") for key in keys(path)}
    return (own | set(alarm_keys(app)) | set(model_keys(app))) - shared_keys()


def test_the_shared_catalogue_is_complete_and_has_nothing_left_over() -> None:
    known, used = set(words(ROOT / "common/screen")), shared_keys()
    assert sorted(used - known) == [], "without German words"
    assert sorted(known - used) == [], "German words that nothing says"


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_the_catalogue_of_an_app_is_complete_and_has_nothing_left_over(app: Path) -> None:
    known, used = set(words(app)), app_keys(app)
    assert sorted(used - known) == [], "without German words"
    assert sorted(known - used) == [], "German words that nothing says"


SAID = {app: app.rglob("*.py") for app in APPS}
SAID[ROOT / "common/screen"] = [
    *ROOT.glob("common/alarms/*.py"), *ROOT.glob("common/service/*.py"),
    ROOT / "common/arguments.py", ROOT / "common/users.py",
]  # fmt: skip


@pytest.mark.parametrize("folder", SAID, ids=lambda folder: folder.name)
def test_what_a_catalogue_hears_is_what_the_station_says(folder: Path) -> None:
    code = "".join(path.read_text("utf-8") for path in SAID[folder])
    for key in words(folder, "heard"):
        texts = [text for text, *_ in string.Formatter().parse(key)]
        assert max(texts, key=len) in code, key


@pytest.mark.parametrize("folder", [ROOT / "common/screen", *APPS], ids=lambda f: f.name)
def test_a_translation_keeps_every_place_for_a_value(folder: Path) -> None:
    def places(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    all_words = words(folder) | words(folder, "heard")
    different = [key for key, said in all_words.items() if places(key) != places(said)]
    assert different == []


@pytest.fixture
def german() -> Iterator[None]:
    use("de")
    yield
    use("en")


def test_english_is_the_key_itself() -> None:
    assert tr("No alarms") == "No alarms"
    assert tr("{n} to acknowledge", n=3) == "3 to acknowledge"


def test_german(german: None) -> None:
    assert tr("No alarms") == "Keine Alarme"
    assert tr("{n} to acknowledge", n=3) == "3 zu quittieren"
    assert decimal(1234.5, 1) == "1\u202f234,5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No alarm.", "Kein Alarm."),
        ("Pump 3: No alarm.", "Pump 3: Kein Alarm."),
        ("Station a/7: No alarm.", "Station a/7: Kein Alarm."),
        ("Alarm pump 3: No alarm.", "Alarm pump 3: Kein Alarm."),
        ("Time 3: pump: off", "Zeit 3: pump: off"),
        ("nothing known", "nothing known"),
        ("", ""),
    ],
)
def test_an_alarm_of_one_of_many_is_translated_in_parts(text: str, said: str) -> None:
    use("de")
    assert language.alarm_text(text) == said


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("Line 2: pump: No alarm.", "Line 2: pump", "Line 2: pump: Kein Alarm."),
        ("Time 3: No alarm.", "Time 3", "Zeit 3: Kein Alarm."),
        ("Pump 3: No alarm.", "somewhere else", "Pump 3: Kein Alarm."),
        ("No alarm.", "Pump 3", "Kein Alarm."),
        ("Pump 3: a text of a device", "Pump 3", "Pump 3: a text of a device"),
    ],
)
def test_place_and_text_of_an_alarm_are_translated_apart(
    german: None, text: str, place: str, said: str
) -> None:
    assert language.alarm_text(text, place) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("took 481 ms, allowed 300 ms", "brauchte 481 ms, erlaubt sind 300 ms"),
        ("till 2: 4 or more for 20 s", "till 2: seit 20 s 4 oder mehr"),
        ("velocity 4.64 mm/s, limit 4.5", "Schwinggeschwindigkeit 4,64 mm/s, Grenze 4,5"),
        ("bearing (BPFO at 92.1 Hz) 9 dB, limit 6", "Lager (BPFO at 92.1 Hz) 9 dB, Grenze 6"),
        ("took {allowed} ms, allowed ( ms", "brauchte {allowed} ms, erlaubt sind ( ms"),
        ("PLC 10.0.0.7: no answer", "PLC 10.0.0.7: no answer"),
        ("", ""),
        (" " * 99_999 + ", limit ", " " * 99_999 + ", limit "),
    ],
    ids=lambda text: text[:20],
)
def test_a_stations_own_words_are_said_with_their_values(
    german: None, text: str, said: str
) -> None:
    for app in APPS:
        language.add_words(app / "words")
    assert language.heard(text) == said


def test_a_stations_own_words_stay_english_in_english() -> None:
    assert language.heard("took 481 ms, allowed 300 ms") == "took 481 ms, allowed 300 ms"


def test_what_no_catalogue_knows_stays_as_it_is(german: None) -> None:
    assert tr("a text {of} a device") == "a text {of} a device"
    assert mark("x") == "x"


def test_numbers_are_plain() -> None:
    assert decimal(1234567.891, 2) == "1\u202f234\u202f567.89"
    assert decimal(-0.5, 1) == "-0.5"
    assert decimal(12) == "12"


@pytest.mark.parametrize(
    ("locale", "code"),
    [("de-AT", "de"), ("de", "de"), ("DE-de", "de"), ("fr-FR", "en"), ("", "en"), (None, "en")],
)
def test_the_browser_chooses(locale: str | None, code: str) -> None:
    assert preferred(locale) == code


@pytest.mark.parametrize("code", ["", "../../etc/passwd", "xx", "DE"])
def test_a_language_that_is_not_there_is_english(code: str) -> None:
    assert use(code) == "en"


def test_a_file_more_is_a_language_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fr.toml").write_text('name = "Français"\n[words]\n"No alarms" = "Sans alarme"')
    monkeypatch.setattr(language, "_FOLDERS", [tmp_path])
    language.languages.cache_clear()
    language._catalogue.cache_clear()
    try:
        assert languages() == {"en": "English", "fr": "Français"}
        use("fr")
        assert tr("No alarms") == "Sans alarme"
        assert tr("Station") == "Station"
    finally:
        use("en")
        language.languages.cache_clear()
        language._catalogue.cache_clear()


def test_a_catalogue_that_cannot_be_read_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xx.toml").write_text("name = ")
    monkeypatch.setattr(language, "_FOLDERS", [tmp_path])
    language.languages.cache_clear()
    with pytest.raises(ConfigError, match=r"xx\.toml"):
        languages()
    language.languages.cache_clear()
