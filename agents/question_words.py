"""What has to agree between two questions before one may have the other's answer: names, numbers, words, what is asked.

    Reading.of(question, linker.link(question)).agrees(other)

Words are compared without endings and as groups of synonyms ("skipper" is "captain"); words that tell nothing apart
are left out. Knows no names and no rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from data.linking.mention import UNKNOWN, Linked
from data.text import PLACEHOLDER, plain

_FILLER = frozenset(
    """a about according actually all also am an and any anyone are as at be been being believed by call called calls can could did
    do does during edition ever exact exactly find for franchise from full fully get give given gave got had has have he
    her hers him his i identify if in indeed indian ipl is it its just kindly know let like list me mention much my
    name named names of off official officially on one or our out over overall people person player players please
    premier league actual currently current presently now remind right said say season seat she show side so some
    somebody someone squad state such team teams tell that the their them then there these they thing this those to too
    tournament turn turned under up us use used was we were what whats when where which while who whom whos whose why
    will with would you your cricket cricketer how many date day year place time wondering wonder question answer
    quick quickly hey hi hello ok okay thanks thank btw pls plz need want correct true really quite very bit info
    information detail details""".split()
)
_CONTRASTS = frozenset(
    """not no never without except vice assistant deputy former previous next last final best worst most least fewest
    highest lowest biggest smallest largest longest shortest fastest slowest youngest oldest before after until since
    home away batting bowling fielding women men new men's women's interim acting stand-in only both other another
    combined uncapped overseas domestic local international left right-handed left-handed unsold retained released
    maximum minimum average total more less fewer than""".split()
)
_SYNONYMS = tuple(
    frozenset(group.split())
    for group in (
        "captain captains captained captaining captaincy skipper skippers skippered skippering lead leads led leader "
        "leaders leading",
        "ground venue stadium stadia arena",
        "coach coaches coached coaching trainer",
        "capacity seats seating hold holds accommodate accommodates fit spectators attendance",
        "own owns owned owner owners owning ownership proprietor proprietors",
        "born birth birthplace birthdate birthday dob hometown",
        "founded found founding establish established establishment foundation formed inception",
        "nickname nicknamed moniker alias nick",
        "anthem song songs theme",
        "sponsor sponsors sponsored sponsoring sponsorship",
        "price priced cost costs bought buy paid pay fee salary amount sum money",
        "wear wears wore jersey shirt kit",
        "country nation nationality",
        "slogan motto tagline catchphrase",
        "mascot mascots",
        "city town",
        "umpire umpires umpired umpiring",
        "commentator commentators commentary commentated",
        "mentor mentors mentored",
        "ceo chief",
        "height tall",
        "wife husband spouse married partner",
        "parent parents father mother",
        "colour colours color colors",
        "debut debuted debuting",
        "title titles trophy trophies championship championships",
        "broadcast broadcaster broadcasters broadcasting telecast televised aired",
        "ambassador ambassadors",
        "chairman chairperson president",
    )
)
_GROUP: dict[str, str] = {word: min(group) for group in _SYNONYMS for word in group}
# what several words say in one
_PHRASES = (
    (r"\b(?:full|complete|whole|expanded) (?:name|form)\b|\b(?:stands?|is short) for\b", " fullname "),
    (r"\bnumber of\b", " how many "),
    (r"\bbirth ?place\b|\bplace of birth\b|\bhome ?town\b", " where born "),
    (r"\bbirth ?da(?:y|te)\b|\bdate of birth\b|\bdob\b", " when born "),
    (r"\bhow old\b|\bwhat age\b|\baged?\b", " age "),
    (r"\bnationality\b|\bwhich (?:country|nation)\b|\bwhat (?:country|nation)\b", " country "),
    (r"\b(?:known|referred to) as\b|\bnick ?name[ds]?\b", " nickname "),
    (r"\bjersey (?:number|no)\b|\bshirt (?:number|no)\b|\bnumber on (?:his|the) (?:back|shirt|jersey)\b", " jersey "),
    (r"\bskin ?colou?r", " colour "),
)  # fmt: skip
# what is asked for, the first that fits; a question that says it may not have the answer of one that asks otherwise
_ASKS = (
    ("why", r"why|reason"),
    ("when", r"when|date of|(?:which|what|in) (?:year|day|date|month)|founding (?:year|date)|year of"),
    (
        "where",
        r"where|place of|located|(?:which|what) (?:city|town|place|state|ground|venue|stadium)|"
        r"home (?:ground|venue|stadium)",
    ),
    ("age", r"age"),
    ("number", r"how (?:many|much|big|large|tall|high|long|far)|number of|capacity|price|cost|fee|salary|height"),
    ("team", r"(?:which|what) (?:team|side|franchise|squad)"),
    ("person", r"(?:which|what) (?:player|person|man|cricketer|umpire|coach|captain)"),
    ("who", r"who|whom|whose"),
)
_STRICT = frozenset({"why", "when", "where", "age"})  # a question that does not say so asks for something else
_NUMBERS = dict(zip("two three four five six seven eight nine ten eleven twelve".split(), range(2, 13), strict=True))
_ORDINALS = dict(
    zip("first second third fourth fifth sixth seventh eighth ninth tenth".split(), range(1, 11), strict=True)
)
_UNITS = frozenset("match game over ball inning wicket run place position rank season final qualifier number".split())
# verbs whose subject and object are both people or teams: "who replaced P1" is not "who did P1 replace"
_DIRECTED = frozenset(
    """replace succeed beat defeat buy sell trade join leave follow sign mentor precede outbid dismiss outscore
    knock lose""".split()
)
_PAST = {"bought": "buy", "sold": "sell", "left": "leave", "beaten": "beat", "lost": "lose", "sought": "seek"}
_TOKEN = re.compile(r"[^\W_]+(?:\.\d+)?(?:'[^\W_]+)?")

Name = tuple[str, frozenset[str]]  # kind, keys


@dataclass(frozen=True)
class Reading:
    """A question as it is compared with others. Names and numbers are in the order of the question."""

    names: tuple[Name, ...]
    numbers: tuple[tuple[str, str], ...]  # the unit beside each ("match"), and the number
    words: tuple[str, ...]  # each once, contrasting ones included
    asks: str
    direction: str  # whether the first name does what a directed verb says ("by"), or has it done ("of")

    @classmethod
    def of(cls, question: str, linked: Linked, spelt: Callable[[str], str] = str) -> Reading:
        """The reading of a question that was linked; `spelt` corrects a word."""
        text = " ".join(spelt(word) for word in _without_names(question, linked).split())
        for pattern, put in _PHRASES:
            text = re.sub(pattern, put, text)
        asks = next((kind for kind, pattern in _ASKS if re.search(rf"\b(?:{pattern})\b", text)), "")
        found = [stem(word) for word in _TOKEN.findall(text) if not PLACEHOLDER.fullmatch(word) and word not in _FILLER]
        words = tuple(dict.fromkeys(w for w in found if not w[0].isdigit() and w not in _NUMBERS | _ORDINALS))
        return cls(_names(linked), _numbers(linked), words, asks, _direction(text))

    @property
    def tokens(self) -> tuple[str, ...]:
        """Words and names for a search."""
        return (*self.words, *(f"{kind}:{key}" for kind, keys in self.names for key in sorted(keys)))

    def agrees(self, other: Reading) -> bool:
        """Whether all but the words is the same, and the words that turn a question into another one."""
        if (self.names, self.numbers, self.direction) != (other.names, other.numbers, other.direction):
            return False
        if set(self.words) & _CONTRASTS != set(other.words) & _CONTRASTS:
            return False
        asks = {self.asks, other.asks}
        if "" in asks:
            return self.asks not in _STRICT
        return len(asks) == 1 or "who" in asks and bool(asks & {"person", "team"})


def stem(word: str) -> str:
    """The word without its ending, or the word that stands for its synonyms."""
    if word in _CONTRASTS:
        return word
    word = _PAST.get(word, word).removesuffix("'s").replace("'", "")
    if word in _GROUP:
        return _GROUP[word]
    for ending, put in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + put
    return word


def known_words() -> frozenset[str]:
    """Every word that has a meaning here: a misspelt one may be one of these."""
    return frozenset(_GROUP) | _FILLER | _CONTRASTS | _NUMBERS.keys() | _ORDINALS.keys()


def _without_names(question: str, linked: Linked) -> str:
    """The plain question with placeholders for names; those that nobody has stay words."""
    for mention in sorted(linked.mentions, key=lambda m: -m.start):
        if mention.status != UNKNOWN:
            question = f"{question[: mention.start]} {mention.placeholder} {question[mention.end :]}"
    return re.sub(r"'s\b|'(?!\w)", " ", plain(question))


def _names(linked: Linked) -> tuple[Name, ...]:
    """The names in their order, each once; without the town that only says where a named ground is."""
    mentions = [m for m in linked.by_placeholder().values() if m.status != UNKNOWN]
    names = [(m.kind, frozenset(m.candidates or (plain(m.text),))) for m in mentions]
    return tuple(name for name in names if not any(name[0] == kind and keys < name[1] for kind, keys in names))


def _numbers(linked: Linked) -> tuple[tuple[str, str], ...]:
    """The numbers of the linked question, from which the season's own year is gone, each with the unit beside it."""
    tokens = [word.removesuffix("s") for word in plain(linked.text).split()]
    found = []
    for at, token in enumerate(tokens):
        value = re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", token)
        value = str(_NUMBERS.get(value) or _ORDINALS.get(value) or value)
        if re.fullmatch(r"\d+(?:\.\d+)?(?:-\d+)?", value):
            beside = tokens[max(0, at - 1) : at] + tokens[at + 1 : at + 2]
            found.append((next((unit for unit in beside if unit in _UNITS), ""), value))
    return tuple(found)


def _direction(text: str) -> str:
    """What the first name has to do with the first directed verb; empty without both."""
    tokens = text.split()
    verb = next((i for i, token in enumerate(tokens) if _base(token) in _DIRECTED), None)
    name = next((i for i, token in enumerate(tokens) if PLACEHOLDER.fullmatch(token)), None)
    if verb is None or name is None:
        return ""
    if "by" in tokens[verb:name]:
        return "by"
    passive = any(token in ("was", "were", "been", "being", "got", "get") for token in tokens[max(0, verb - 3) : verb])
    return "by" if (name < verb) != passive else "of"


def _base(word: str) -> str:
    """The verb of a past form or a third person."""
    forms = (_PAST.get(word, word), word.removesuffix("s"), word.removesuffix("d"), word.removesuffix("ed"))
    doubled = word[:-3] if re.search(r"(\w)\1ed$", word) else word
    return next((form for form in (*forms, doubled) if form in _DIRECTED), word)
