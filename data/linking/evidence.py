"""Decides whether words of a question are meant as a name: in "heads strike rate" they are, in "head to head" not.

The evidence is in the sentence around the words: capital letters, possessives, a statistic after them, a verb before
them, another name beside them. The name index says which aliases are also ordinary words; who is meant is decided
elsewhere.

    python -m data.linking.linker ipl_2024 "head to head of csk and mi" "heads strike rate"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from data.linking.index import NICKNAMES, Alias, NameIndex


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that follow the name of a player in a question about his figures.
STATISTICS = _set(
    "strike sr average avg averages runs run wickets wicket wkts wkt economy econ eco sixes six fours "
    "four score scored scores boundaries boundary dots dot catches catch fifties fifty hundreds hundred "
    "century centuries 50s 100s 4s 6s ducks duck innings spell spells figures stats stat numbers record "
    "highest best total hit hits bowled bowl bats bat batted took take takes did got made make has vs "
    "versus v against matchup season knock knocks partnership dismissals dismissed stumpings maidens "
    "powerplay death performance fastest slowest pp avgs most ka ki ke ne ko batting bowling kitni kitne "
    "kaise kab kis balls mom appeared play played face faced conceded away "
    "eliminator qualifier playoffs wicketless"
)
# Words that precede the name of somebody who did something.
BEFORE = _set(
    "did does by dismiss dismissed dismisses vs versus v against between than has had was were got out "
    "removed remove beat trap trapped do when compare captain skipper sir mr king lord and travis phil "
    "sunil opener openers gets get sent"
)
WEAK_BEFORE = _set("of for from to with about is are and or how what whats & , in was off")
OPEN_BEFORE = _set("the at while can could will would if when which runs wickets total score totals sixes beat beating")
AFTER_WEAK = _set("in at against vs versus v during this per on and or while when & facing before after as")
JOIN = re.compile(r"^(?:and|or|vs|v|versus|n|aur|ya|with|than|to)$")
# Phrases in which a guarded word is not a name.
NOT_NAMES = tuple(
    re.compile(rf"\b(?:{phrase})\b", re.I) for phrase in yaml.safe_load(NICKNAMES.read_text("utf-8"))["not_names"]
)
# Ordinary words that are often written with a capital letter in questions.
CAPITALISED = _set(
    "i ipl tata cap caps orange purple player man match season final finals qualifier eliminator playoff "
    "playoffs super over overs powerplay power play death middle impact drs dls duckworth lewis stern "
    "india indian indians england english australia australian south african africa new zealand kiwi west "
    "indies sri lankan lanka afghan afghanistan bangladesh bangladeshi pakistan pakistani nepal world cup "
    "champions trophy league premier t20 odi test tests mvp potm pom bcci icc january february march "
    "april may june july august september october november december monday tuesday wednesday thursday "
    "friday saturday sunday christmas diwali holi fair award emerging catch toss table points point runs "
    "run wickets wicket sixes fours six four fifty fifties century centuries hundred hundreds strike rate "
    "average economy team teams batter batters batsman batsmen bowler bowlers bowling batting keeper "
    "captain captains skipper allrounder highest lowest most best worst top fastest longest who what "
    "which when where why how is was did does do are were has have had can could will would tell show "
    "list give name find compare explain please hi hello hey thanks and or but the a an in on at of for "
    "from to by with vs versus than per during against between first second third all any every each many "
    "much number total totals score scores innings partnership partnerships chase chasing defending home "
    "away ground grounds stadium venue city rank ranking stats statistics also so if then it he she they "
    "his her their this that these those not no yes ok spin pace spinner spinners pacer pacers left right "
    "arm hand hat trick tricks maiden maidens duck ducks dot dots ball balls boundary boundaries extras "
    "wides wide noballs leg bye byes lbw caught bowled stumped mr sir king lord legend coach uncapped "
    "overseas knight god goat news hinglish bhai yaar kaun kitne kitna kya kis sabse zyada batao bataiye "
    "pls plz ball-by-ball analysis answer question"
)

MATCH_WORDS = _set("h2h match game scorecard result winner won beat between fixture potm mom toss lineup")
# Team words that are also praise: a team only in a place where a name can be.
PRAISE = _set("kings giants knights warriors lions")
RATE_BEFORE = _set(
    "net required req current highest best lowest worst run better scoring higher pp powerplay death middle overs"
)
FIGURES = _set("sr rate average avg economy econ runs wickets wkts sixes fours stats record ducks catches")
PRAISED_FOR = _set(
    "hitting sixer six sixes fours boundary boundaries spin death powerplay run runs wicket wickets dot "
    "catch duck real bonus gentle many chase chasing middle batting bowling fielding yorker"
)
SHORT_WORDS = _set(
    "as my me no up us we go hi ok am be oh ke ka ki se pe ne n u r ur off out got get via min max avg econ sr"
)


@dataclass(frozen=True)
class Word:
    """A word of the question without its possessive ending.

    `start` to `end` are its characters, `stop` is the end including a possessive 's, `gap` the text before it.
    `norm` is the word in lower case without accents and punctuation.
    """

    text: str
    norm: str
    start: int
    end: int
    stop: int
    possessive: bool
    gap: str

    @property
    def is_capitalised(self) -> bool:
        return self.text[:1].isupper()


def is_initials(norm: str) -> bool:
    """Whether a short word may be initials or a particle of a name: "rg", "du", not "in"."""
    return len(norm) <= 3 and norm.isalpha() and norm not in CAPITALISED and norm not in SHORT_WORDS


class NameEvidence:
    """The evidence in one question; made once per question."""

    def __init__(self, question: str, words: list[Word], index: NameIndex, lexicon: frozenset[str]) -> None:
        self.words, self.index, self.lexicon = words, index, lexicon
        letters = [w for w in words if len(w.norm) >= 3 and w.norm.isalpha()]
        capitals = sum(w.is_capitalised for w in letters)
        shouting = len(letters) > 1 and sum(w.text.isupper() for w in letters) > 0.6 * len(letters)
        self.case_is_informative = not shouting and capitals < len(letters) and capitals <= max(2, 0.6 * len(letters))
        self.blocked = (
            {
                i
                for pattern in NOT_NAMES
                for m in pattern.finditer(question)
                for i, w in enumerate(words)
                if m.start() <= w.start < m.end()
            }
            if index.guarded & {n for w in words for n in (w.norm, w.norm.removesuffix("s"))}
            else set()
        )

    def starts_sentence(self, at: int) -> bool:
        return at == 0 or bool(re.search(r"[.?!:\"“]", self.words[at].gap))

    def is_capitalised(self, at: int) -> bool:
        """Whether the word has a capital letter that is more than the start of a sentence or a habit of the writer."""
        word = self.words[at]
        if not self.case_is_informative or not word.is_capitalised:
            return False
        return not self.starts_sentence(at) or (len(word.text) > 1 and word.text.isupper())

    def is_correctable(self, at: int) -> bool:
        """Whether the word may be a misspelt name: neither part of a known name nor an ordinary word."""
        norm = self.words[at].norm
        return (
            len(norm) >= 4
            and norm not in self.index.lookalikes
            and norm not in self.lexicon
            and norm not in CAPITALISED
            and norm not in STATISTICS
            and not self.index.is_word(norm)
        )

    def is_ordinary(self, at: int) -> bool:
        """Whether the word is an everyday one: of training questions, or of one or two letters."""
        return self.words[at].norm in self.lexicon or len(self.words[at].norm) < 3

    def expects_name(self, at: int) -> bool:
        """Whether a name is likely at this word: a capital letter, a possessive, "did", "by" or "versus" before it."""
        before = self.words[at - 1].norm if at else ""
        return (
            self.words[at].possessive
            or self.is_capitalised(at)
            or before in ("did", "by", "has", "had", "v", "vs", "versus")
        )

    def may_begin(self, at: int, after_name: bool) -> bool:
        """Whether a name of several words may begin here: not with an article, nor with the "v" between two sides."""
        word = self.words[at]
        if word.norm in ("v", "n", "a", "i", "s") and not word.text.isupper():
            return at == 0 and word.norm == "v"
        return not (word.norm == "v" and after_name)

    def is_certain(self, first: int, last: int, alias: Alias) -> bool:
        """Whether an alias is a name by its words alone, without evidence from the sentence."""
        norm = "".join(w.norm for w in self.words[first:last])
        singular = norm[:-1] if self.index.lookup(norm) is None and norm.endswith("s") else norm
        if singular in self.index.guarded or singular in self.index.never_alone:
            return False
        if norm in self.index.loose:
            return self._is_team(first, last)
        if norm == "rr":
            return self._is_rajasthan(first)
        return len(norm) > 1

    def _is_team(self, first: int, last: int) -> bool:
        """False where a team word is praise: "kings of sixes", "six hitting giants"."""
        after = self.words[last].norm if last < len(self.words) else ""
        before = self.words[first - 1].norm if first and not self.words[first].gap.strip() else ""
        praised = before in PRAISED_FOR
        if before and last - first == 1 and self.words[first].norm in PRAISE:
            praised = before not in BEFORE | WEAK_BEFORE | OPEN_BEFORE
        return after not in ("of", "among") and (not praised or self.is_capitalised(first))

    def _is_rajasthan(self, at: int) -> bool:
        """Whether "rr" is the Rajasthan Royals, not the run rate: it is the latter after a team, a phase or "net"."""
        before = self.words[at - 1].norm if at else ""
        after = self.words[at + 1].norm if at + 1 < len(self.words) else ""
        if after in ("vs", "v", "versus", "and", "or") or MATCH_WORDS & {w.norm for w in self.words}:
            return True
        alias = self.index.lookup(before) if not self.words[at].gap.strip() else None
        return before not in RATE_BEFORE and (alias is None or alias.kind != "team")

    def is_supported(self, first: int, last: int, names: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
        """Whether the sentence supports reading an ordinary word as a name.

        `names` are spans that are certainly names, `others` spans that may be.
        """
        words = self.words
        norm = "".join(w.norm for w in words[first:last])
        if any(i in self.blocked for i in range(first, last)) or norm in self.index.never_alone:
            return self.is_capitalised(first) and norm not in self.index.never_alone and first not in self.blocked
        if norm in CAPITALISED:
            return False
        if words[last - 1].possessive or self.is_capitalised(first):
            return True
        before = words[first - 1].norm if first else ""
        after = words[last].norm if last < len(words) else ""
        if self._is_listed_with(first, last, names) or (
            self._is_listed_with(first, last, others) and not before == "the"
        ):
            return True
        if after in ("together", "partnership", "stand") and any(b == first for _, b in names):
            return True  # "siraj head together"
        known = self.index.lookup(norm)
        if last == len(words) and known and known.rank and before in FIGURES and not words[first].gap.strip():
            return True  # "death sr green"
        if before in ("the", "a", "an", "his", "my", "your", "their", "more", "most"):
            return False
        figure = after in STATISTICS or re.fullmatch(r"\d{2,3}s?", after)  # "sky 50+ scores"
        if last < len(words) and figure and not words[last].gap.strip():
            return True
        if before in BEFORE and not words[first].gap.strip():
            return True
        ends = last == len(words) or bool(words[last].gap.strip())
        return before in WEAK_BEFORE and (ends or after in AFTER_WEAK)

    def _is_listed_with(self, first: int, last: int, spans: list[tuple[int, int]]) -> bool:
        """Whether only "and", "or", "vs", a comma or "&" separates the words from one of `spans`."""
        for a, b in spans:
            left, right = (b, first) if b <= first else (last, a)
            between = self.words[left:right]
            if len(between) == 1 and JOIN.match(between[0].norm):
                return True
            if (
                not between
                and left == right
                and left < len(self.words)
                and self.words[left].gap.strip() in (",", "&", "/", "-")
            ):
                return True
        return False

    def unknown_names(self, taken: set[int]) -> list[tuple[int, int]]:
        """Runs of capitalised words that are neither a known name nor ordinary words."""
        if not self.case_is_informative:
            return []
        out, at = [], 0
        while at < len(self.words):
            end = at
            while (
                end < len(self.words)
                and end not in taken
                and self._is_unknown(end)
                and (end == at or not self.words[end].gap.strip())
            ):
                end += 1
            if end > at and (not self.starts_sentence(at) or end - at > 1):
                out.append((at, end))
            at = max(end, at + 1)
        return out

    def _is_unknown(self, at: int) -> bool:
        word = self.words[at]
        return (
            word.is_capitalised
            and len(word.norm) >= 3
            and word.norm.isalpha()
            and not word.text.isupper()
            and word.norm not in CAPITALISED
            and word.norm not in self.lexicon
            and word.norm not in STATISTICS
            and word.norm not in self.index.lookalikes
        )
