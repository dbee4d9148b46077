"""What a conversation remembers of its last turn, and how the names of the next question join those of that turn.

    turn = conversations.last(owner, conversation_id)        # None: nothing was answered yet
    linked, before = turn.join(linker.link("and in wins?"))  # before.line is "runs | batter=P1", before.leaders "-"

The model reads the line before, the placeholders of what its answer named, and the new words. "Which of the two" after
a question about one and the same about another is read after a line about both.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agents.messages import Before, Planned
from data.linking.mention import AMBIGUOUS, FOUND, UNKNOWN, Linked, Mention
from data.linking.resolver import Names
from data.query import parse
from data.query.query import Filter
from data.query.sources import PLAYER_KEYS
from data.text import PLACEHOLDER

MAX_FOLLOW_UP_WORDS = 12  # a longer question stands alone
_BOTH = re.compile(
    r"\b(?:dono|donon|them both|both of (?:them|those|these)|both (?:batters|batsmen|bowlers|players|teams|sides)"
    r"|(?:which|who|one|either|neither) of (?:them|the two|these two|those two)"
    r"|the two of them|of the two|between (?:them|the two)|(?:these|those) two)\b|\bboth$"
)


@dataclass(frozen=True)
class Turn:
    """A query line over placeholders, the mention of each, and what the answer named: `leaders`, first one first.

    `other`: whom the line is asked about in a turn before, where that was one and this is another.
    """

    line: str
    mentions: Mapping[str, Mention]
    leaders: tuple[Mention, ...] = ()
    other: Mention | None = None

    def join(self, linked: Linked) -> tuple[Linked, Before] | None:
        """The new words and this turn with shared placeholders, numbered as they come: line, leaders, words.

        A name that is there already keeps its placeholder. Where a kind has more than 9 names, the last leaders go;
        None where the line and the words have more by themselves.
        """
        if self.other and _BOTH.search(linked.text.lower()):
            return replace(self._about_both(), other=None).join(linked)
        of_line = [self.mentions[p] for p in placeholders(self.line) if p in self.mentions]
        spoken = list(linked.by_placeholder().values())
        for kept in range(len(self.leaders), -1, -1):
            names = _Numbering()
            before = [names.add(m) for m in of_line]
            leaders = [p for p in map(names.add, self.leaders[:kept]) if p not in before]
            words = [names.add(m) for m in spoken]
            if names.fit():
                line = renamed(self.line, {m.placeholder: p for m, p in zip(of_line, before, strict=True)})
                new = {m.placeholder: p for m, p in zip(spoken, words, strict=True)}
                joined = Linked(renamed(linked.text, new), tuple(names.mentions.values()))
                return joined, Before(line, " ".join(dict.fromkeys(leaders)) or "-")
        return None

    def after(self, before: Turn | None) -> Turn:
        """This turn, with whom the same was asked about before it."""
        ours, theirs = self._about(), before and before._about()
        if not ours or not before or not theirs or ours[0].key != theirs[0].key:
            return self
        return replace(self, other=before.other if ours[1].candidates == theirs[1].candidates else theirs[1])

    def _about(self) -> tuple[Filter, Mention] | None:
        """The condition that says about whom a line of one query is, and the one person or team in it."""
        plan = parse(self.line)
        found = [
            f
            for query in plan.queries
            for f in query.filters
            if f.key in (*PLAYER_KEYS, "team") and f.op == "=" and len(f.values) == 1 and f.values[0] in self.mentions
        ]
        return (found[0], self.mentions[found[0].values[0]]) if found and len(plan.queries) == 1 else None

    def _about_both(self) -> Turn:
        """This turn as if it had been asked about the other, too."""
        about = self._about()
        if about is None or self.other is None:
            return self
        condition, _ = about
        (query,) = parse(self.line).queries
        kind = condition.values[0][0]
        other = next(p for p in (f"{kind}{n}" for n in itertools.count(1)) if p not in self.mentions)
        filters = (replace(f, values=(other, *f.values)) if f == condition else f for f in query.filters)
        by = query.by if condition.key in query.by else (*query.by, condition.key)
        line = str(replace(query, by=by, filters=tuple(filters)))
        return replace(self, line=line, mentions={**self.mentions, other: replace(self.other, placeholder=other)})

    def known_to(self, names: Names) -> Turn:
        """This turn with the names of the season as it is now: a team may have another one since it was loaded anew."""
        mentions = {placeholder: _known(mention, names) for placeholder, mention in self.mentions.items()}
        leaders = tuple(_known(mention, names) for mention in self.leaders)
        return replace(self, mentions=mentions, leaders=leaders, other=self.other and _known(self.other, names))


class Conversations:
    """The last turn of each conversation, for at most `capacity` of them. Safe to use from several threads.

    A conversation belongs to the owner who began it: the same id of another owner is another conversation.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._turns: OrderedDict[tuple[str, str], Turn] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def last(self, owner: str, conversation: str | None) -> Turn | None:
        """The last turn that was remembered."""
        with self._lock:
            return self._turns.get((owner, conversation)) if conversation else None

    def remember(self, owner: str, conversation: str, turn: Turn) -> None:
        """Keep this turn as the conversation's last one; the conversation unused for longest is dropped if need be."""
        with self._lock:
            self._turns[owner, conversation] = turn
            self._turns.move_to_end((owner, conversation))
            while len(self._turns) > self._capacity:
                self._turns.popitem(last=False)


def turn_of(planned: Planned, leaders: tuple[Mention, ...] = ()) -> Turn | None:
    """The turn that a plan makes. None where the one before stays: small talk, and what is declined and names nobody.

    A declined question that names somebody changes the subject, so that "his" is not the person before.
    """
    mentions = planned.linked.by_placeholder()
    if planned.plan.decline:
        named = tuple(m for m in mentions.values() if m.placeholder in planned.text and m.status == FOUND)
        return Turn(str(planned.plan), {}, named) if named and planned.plan.decline != "chat" else None
    return Turn(str(planned.plan), mentions, leaders)


def used(planned: Planned) -> Planned:
    """The plan with only the mentions that its line or its words use."""
    there = set(placeholders(f"{planned.text} {planned.plan}"))
    mentions = tuple(m for m in planned.linked.mentions if m.placeholder in there)
    return replace(planned, linked=replace(planned.linked, mentions=mentions))


def placeholders(text: str) -> list[str]:
    """The placeholders of a text in their order, each once."""
    return list(dict.fromkeys(m[0] for m in PLACEHOLDER.finditer(text)))


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other placeholders."""
    return PLACEHOLDER.sub(lambda m: names.get(m[0], m[0]), text)


def _known(mention: Mention, names: Names) -> Mention:
    """The mention with candidates that the season has; unknown where it has none of them."""
    roster = names.roster
    there = {
        "player": names.index.players,
        "team": roster.teams,
        "venue": [ground.name for ground in roster.grounds],
    }.get(mention.kind, mention.candidates)
    if all(key in there for key in mention.candidates):
        return mention
    found: dict[str, None] = {}
    for key in mention.candidates:
        if key in there:
            found[key] = None
        elif mention.kind != "player":  # the key is a name, of which the season knows the former ones
            found |= dict.fromkeys((names.team if mention.kind == "team" else names.venue)(key).candidates)
    return replace(mention, candidates=tuple(found), status=mention.status if found else UNKNOWN)


class _Numbering:
    """Gives every name the next free number of its kind."""

    def __init__(self) -> None:
        self.mentions: dict[str, Mention] = {}

    def add(self, mention: Mention) -> str:
        """The mention's placeholder, the one it has already where it was named before."""
        kind = mention.placeholder[0]
        same_kind = [m for m in self.mentions.values() if m.placeholder[0] == kind]
        placeholder = _among(same_kind, mention) or f"{kind}{len(same_kind) + 1}"
        self.mentions.setdefault(placeholder, replace(mention, placeholder=placeholder))
        return placeholder

    def fit(self) -> bool:
        return all(len(p) == 2 for p in self.mentions)


def _among(known: Iterable[Mention], mention: Mention) -> str | None:
    """The placeholder of the same name; of the only one it may mean if it is ambiguous: "Sharma" after Rohit Sharma."""
    known = list(known)
    for other in known:
        if (other.candidates or other.text.lower()) == (mention.candidates or mention.text.lower()):
            return other.placeholder
    meant = [m.placeholder for m in known if m.status == FOUND and set(m.candidates) <= set(mention.candidates)]
    return meant[0] if mention.status == AMBIGUOUS and len(meant) == 1 else None
