"""What a screen says in the language of who reads it: a catalogue per language, no more.

    tr("Data age")                           → Data age, in German Datenalter
    tr("{n} to acknowledge", n=3)            → 3 to acknowledge
    mark("Overview")                         → for tables: a key, translated where it is drawn
    heard("bin full")                        → what a station words itself, by its [heard]

The English text is the key. A language is a file words/<code>.toml here, and one in each app
for the app's own words; to add one, copy de.toml and translate. A text that a catalogue does
not have stays English: texts of alarms and devices come from outside.
"""

import re
import string
import tomllib
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.errors import ConfigError

ENGLISH = "en"
_FOLDERS = [Path(__file__).with_name("words")]
MOST_HEARD = 300
"""Characters; a longer text is no short message, and would take long to look at."""
_signs = {ENGLISH: "."}
"""What stands before the decimals, by language."""
_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


def add_words(folder: Path) -> None:
    """Also look into the catalogues of `folder`: an app's own words."""
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)
        for kept in (_catalogue, _patterns, languages):
            kept.cache_clear()


@lru_cache(maxsize=1)
def languages() -> dict[str, str]:
    """Code → name of every language there is, English first."""
    found = {ENGLISH: "English"}
    for path in sorted(_FOLDERS[0].glob("*.toml")):
        found[path.stem] = str(_read(path).get("name", path.stem))
        _signs[path.stem] = str(_read(path).get("decimal", "."))
    return found


def use(code: str) -> str:
    """Speak this language from now on, in this thread; English where there is no such one."""
    known = code if code in languages() else ENGLISH
    _language.set(known)
    return known


def current() -> str:
    """The code of the language that is spoken."""
    return _language.get()


def preferred(locale: str | None) -> str:
    """The language for a browser's locale, e.g. de for de-AT."""
    code = (locale or "").partition("-")[0].lower()
    return code if code in languages() else ENGLISH


def tr(text: str, **values: object) -> str:
    """`text` in the language that is spoken, with values in its places."""
    said = _catalogue(_language.get()).get(text, text)
    return said.format(**values) if values else said


def alarm_text(text: str, place: str = "") -> str:
    """The text of an alarm; of one of many like it, place and text each by itself.

    A station says which `place` its text begins with, e.g. "Bed 3"; where it does not, as in
    records of earlier versions, it is what stands before the colon.
    """
    whole = tr(text)
    subject, colon, what = (place, ": ", text[len(place) + 2 :])
    if not place or not text.startswith(f"{place}: "):
        subject, colon, what = text.partition(": ")
    if whole != text or not colon:
        return whole
    return f"{place_text(subject)}: {tr(what)}"


def place_text(place: str) -> str:
    """A name stays as it is, but for the word before a number: Bed 3, in German Bett 3."""
    kind, _, name = place.partition(" ")
    return f"{tr(kind)} {name}" if name and " " not in name else tr(place)


def heard(text: str) -> str:
    """A station's own words, by the catalogues' `[heard]`: {places} stand for any value there.

    A value may be such words again, and a number gets the language's decimal sign: 1.250 is
    more than a thousand to a German. What no catalogue knows stays as it is.
    """
    if re.fullmatch(r"-?[0-9]+\.[0-9]+( \S+)?", text):
        return text.replace(".", _signs.get(_language.get(), "."), 1)
    patterns = _patterns(_language.get()) if len(text) <= MOST_HEARD else []
    for pattern, said in patterns:
        if found := pattern.fullmatch(text):
            return said.format(
                **{name: heard(value) for name, value in found.groupdict().items()}
            )
    return text


def mark(text: str) -> str:
    """`text` itself: says that it is a key of the catalogues."""
    return text


@lru_cache(maxsize=16)
def _catalogue(code: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for folder in _FOLDERS:
        path = folder / f"{code}.toml"
        if path.exists():
            words |= _words(path)
    return words


@lru_cache(maxsize=16)
def _patterns(code: str) -> list[tuple[re.Pattern[str], str]]:
    """What stations may say and how it is said in that language; the longest keys first."""
    paths = (folder / f"{code}.toml" for folder in _FOLDERS)
    known: dict[str, str] = {}
    for path in filter(Path.exists, paths):
        known |= _words(path, "heard")
    return [(_pattern(key), known[key]) for key in sorted(known, key=len, reverse=True)]


def _pattern(key: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(key)
    return re.compile(
        "".join(
            re.escape(text) + (f"(?P<{name}>.+?)" if name else "") for text, name, *_ in parts
        )
    )


def _words(path: Path, table: str = "words") -> dict[str, str]:
    words = _read(path).get(table, {})
    wrong = [key for key, value in words.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigError(f"{path}: {wrong[0]!r} must be a text")
    return dict(words)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error


# ------------------------------------------------------------------ numbers

THIN = "\u202f"


def decimal(value: float, digits: int = 0) -> str:
    """A number with thin gaps between thousands and the language's decimal sign."""
    whole, _, rest = f"{value:,.{digits}f}".partition(".")
    sign = _signs.get(_language.get(), ".")
    return whole.replace(",", THIN) + (sign + rest if rest else "")
