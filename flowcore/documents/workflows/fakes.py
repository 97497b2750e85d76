"""Made-up data for `${dynamic.key}`: always the same for the same chance and the same time.

The keys are those that people know from Postman (`randomEmail`, `guid`, `timestamp`, ...), upper and lower case alike;
a shorter form without `random` does as well.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from flowcore.values import Instant

Chance: TypeAlias = Callable[[], float]
"""Gives a number, 0 <= number < 1, each time it is asked."""

_FIRST: Final = ("Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "Joan", "Katherine")
_LAST: Final = ("Allen", "Dijkstra", "Hopper", "Johnson", "Kay", "Lamarr", "Liskov", "Lovelace", "Ritchie", "Turing")
_CITIES: Final = ("Aarhus", "Bergen", "Cork", "Delft", "Graz", "Lund", "Porto", "Quito", "Riga", "Turin", "York")
_COUNTRIES: Final = (("Austria", "AT"), ("Chile", "CL"), ("Denmark", "DK"), ("Ghana", "GH"), ("Japan", "JP"))
_STREETS: Final = ("Church Street", "High Street", "Mill Lane", "Park Road", "Station Road", "Victoria Road")
_WORDS: Final = ("amber", "birch", "cloud", "delta", "ember", "fjord", "grove", "harbor", "island", "lantern", "meadow")
_COLORS: Final = ("black", "blue", "green", "orange", "purple", "red", "white", "yellow")
_JOBS: Final = ("Analyst", "Architect", "Designer", "Engineer", "Librarian", "Planner", "Teacher", "Translator")
_PRODUCTS: Final = ("Bench", "Chair", "Desk", "Lamp", "Mug", "Pen", "Shelf", "Table")
_CURRENCIES: Final = ("CHF", "DKK", "EUR", "GBP", "JPY", "SEK", "USD")
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_HEX: Final = "0123456789abcdef"
_YEAR_S: Final = 365 * 86_400


@attrs.frozen
class Fakes:
    """Makes data up.

    Attributes:
        chance: What decides.
        now: The time of the day, for timestamps and dates.
    """

    chance: Chance
    now: Instant

    def make(self, key: str) -> str | None:
        """Return new data of the kind *key*, as text; None when there is no such kind."""
        name = key.lower()
        maker = _MAKERS.get(name) or _MAKERS.get(name.removeprefix("random"))
        return None if maker is None else maker(self)

    def number(self, low: int, high: int) -> int:
        """Return a whole number from *low* to *high*, both included."""
        return low + int(self.chance() * (high - low + 1))

    def one(self, choices: Sequence[str]) -> str:
        """Return one of *choices*."""
        return choices[int(self.chance() * len(choices))]

    def some(self, characters: str, count: int) -> str:
        """Return *count* of *characters*."""
        return "".join(self.one(characters) for _ in range(count))

    def day(self, low_s: int, high_s: int) -> str:
        """Return a moment between *low_s* and *high_s* seconds from now, as ISO 8601 text."""
        return _iso(self.now + self.number(low_s, high_s))


def _iso(at: float) -> str:
    # Not from a timestamp: that asks the system for its time zone on some.
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(at * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(fakes: Fakes) -> str:
    """Return a UUID of version 4."""
    digits = fakes.some(_HEX, 30)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{fakes.one('89ab')}{digits[15:18]}-{digits[18:30]}"


def _user(fakes: Fakes) -> str:
    return f"{fakes.one(_FIRST)}.{fakes.one(_LAST)}{fakes.number(1, 999)}".lower()


def _words(fakes: Fakes, count: int) -> str:
    return " ".join(fakes.one(_WORDS) for _ in range(count))


def _sentence(fakes: Fakes) -> str:
    return f"{_words(fakes, 8).capitalize()}."


_MAKERS: Final[Mapping[str, Callable[[Fakes], str]]] = MappingProxyType(
    {
        "guid": _uuid,
        "uuid": _uuid,
        "timestamp": lambda fakes: str(int(fakes.now)),
        "isotimestamp": lambda fakes: _iso(fakes.now),
        "boolean": lambda fakes: fakes.one(("true", "false")),
        "int": lambda fakes: str(fakes.number(0, 1000)),
        "number": lambda fakes: str(fakes.number(0, 2**31 - 1)),
        "float": lambda fakes: f"{fakes.chance() * 1000:.3f}",
        "amount": lambda fakes: f"{fakes.chance() * 1000:.2f}",
        "alphanumeric": lambda fakes: fakes.some(_LETTERS + _DIGITS, 12),
        "alpha": lambda fakes: fakes.some(_LETTERS, 8),
        "numeric": lambda fakes: fakes.some(_DIGITS, 8),
        "password": lambda fakes: fakes.some(_LETTERS + _LETTERS.upper() + _DIGITS, 12),
        "abbreviation": lambda fakes: fakes.some(_LETTERS.upper(), 3),
        "color": lambda fakes: fakes.one(_COLORS),
        "hexcolor": lambda fakes: f"#{fakes.some(_HEX, 6)}",
        "firstname": lambda fakes: fakes.one(_FIRST),
        "lastname": lambda fakes: fakes.one(_LAST),
        "fullname": lambda fakes: f"{fakes.one(_FIRST)} {fakes.one(_LAST)}",
        "name": lambda fakes: f"{fakes.one(_FIRST)} {fakes.one(_LAST)}",
        "username": _user,
        "email": lambda fakes: f"{_user(fakes)}@example.com",
        "domain": lambda fakes: f"{fakes.one(_WORDS)}.example.com",
        "url": lambda fakes: f"https://{fakes.one(_WORDS)}.example.com/",
        "ip": lambda fakes: f"192.0.2.{fakes.number(1, 254)}",
        "ipv6": lambda fakes: f"2001:db8::{fakes.some(_HEX, 4)}",
        "macaddress": lambda fakes: ":".join(fakes.some(_HEX, 2) for _ in range(6)),
        "phonenumber": lambda fakes: f"+1-555-01{fakes.some(_DIGITS, 2)}",
        "city": lambda fakes: fakes.one(_CITIES),
        "country": lambda fakes: _COUNTRIES[fakes.number(0, len(_COUNTRIES) - 1)][0],
        "countrycode": lambda fakes: _COUNTRIES[fakes.number(0, len(_COUNTRIES) - 1)][1],
        "streetname": lambda fakes: fakes.one(_STREETS),
        "streetaddress": lambda fakes: f"{fakes.number(1, 200)} {fakes.one(_STREETS)}",
        "zipcode": lambda fakes: fakes.some(_DIGITS, 5),
        "postcode": lambda fakes: fakes.some(_DIGITS, 5),
        "latitude": lambda fakes: f"{fakes.chance() * 180 - 90:.4f}",
        "longitude": lambda fakes: f"{fakes.chance() * 360 - 180:.4f}",
        "companyname": lambda fakes: f"{fakes.one(_LAST)} and {fakes.one(_LAST)}",
        "jobtitle": lambda fakes: fakes.one(_JOBS),
        "product": lambda fakes: fakes.one(_PRODUCTS),
        "productname": lambda fakes: f"{fakes.one(_COLORS).capitalize()} {fakes.one(_PRODUCTS)}",
        "currencycode": lambda fakes: fakes.one(_CURRENCIES),
        "datepast": lambda fakes: fakes.day(-_YEAR_S, -1),
        "datefuture": lambda fakes: fakes.day(1, _YEAR_S),
        "daterecent": lambda fakes: fakes.day(-86_400, -1),
        "month": lambda fakes: fakes.one(_MONTHS),
        "weekday": lambda fakes: fakes.one(_WEEKDAYS),
        "word": lambda fakes: fakes.one(_WORDS),
        "words": lambda fakes: _words(fakes, fakes.number(3, 7)),
        "sentence": _sentence,
        "paragraph": lambda fakes: " ".join(_sentence(fakes) for _ in range(3)),
        "text": lambda fakes: " ".join(_sentence(fakes) for _ in range(2)),
    }
)

KEYS: Final[tuple[str, ...]] = tuple(_MAKERS)
"""The kinds of data there are, in small letters and without `random`."""
