"""Signed URLs with something else about them."""

import random
import string
from collections.abc import Sequence

LETTERS = string.ascii_letters + string.digits + "-_.~%&=?/+;:@!$'()*, #\\\"<>[]^`{|}\x00\x7fé\xff"


def mutated(chance: random.Random, url: str) -> str:
    """Return *url* with something else about it."""
    place = chance.randrange(len(url))
    letter = chance.choice(LETTERS)
    path, _, query = url.partition("?")
    parts = query.split("&")
    match chance.randrange(11):
        case 0:
            return url[:place] + letter + url[place + 1 :]
        case 1:
            return url[:place] + letter + url[place:]
        case 2:
            return url[:place] + url[place + 1 :]
        case 3:
            return url[:place]
        case 4:
            return url[:place] + url[place].swapcase() + url[place + 1 :]
        case 5:
            chance.shuffle(parts)
            return f"{path}?{'&'.join(parts)}"
        case 6:
            return f"{url}&{chance.choice(parts)}"
        case 7:
            return f"{path}?{'&'.join(part for part in parts if part != chance.choice(parts))}"
        case 8:
            # The same query, spelled otherwise.
            return url[:place] + f"%{ord(url[place]):02x}" + url[place + 1 :]
        case 9:
            key, _, value = chance.choice(parts).partition("=")
            return url.replace(
                f"{key}={value}", f"{key}={chance.choice(['', '0' + value, value + ' ', '+' + value, '-1', '9' * 40])}"
            )
        case _:
            return url.replace("/", chance.choice(["//", "/./", "/../", "\\", "/%2e%2e/"]), chance.randrange(1, 8))


def respelled(url: str) -> Sequence[str]:
    """Return what servers, or some of them, take for the path and the query of *url*, and what is nearly that."""
    path, _, query = url.partition("?")
    return (
        f"/{url}",
        f"//{url}",
        url.replace("/default/", "//default/"),
        url.replace("/default/", "/%64efault/"),
        url.replace("/default/", "/default%2F"),
        url.replace("/default/", "/./default/"),
        url.replace("/default/", "/x/../default/"),
        url.replace("/api/", "/ap\ti/"),
        url.replace("kid=", "ki\td="),
        f"{url}\t",
        f"\t{url}",
        f"{url}#x",
        f"{path}#x?{query}",
        f"http://evil.example{url}",
        f"http://127.0.0.1{url}",
        f"{path}/?{query}",
        f"{path};x?{query}",
        f"{path}??{query}",
        f"{url}&",
        url.replace("%20", "+"),
    )
