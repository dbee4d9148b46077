"""Grammars: what is rejected, admitted (compared with llama.cpp's own sampler) and forced.

python -m pytest tests/test_grammar.py
"""

import ctypes
import json
import random
import re
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engine.errors import GrammarError
from serve.engine.grammar import automaton, gbnf
from serve.engine.grammar.automaton import MAX_REJECTED, MAX_TOTAL_CONFIGURATIONS, Grammar, GrammarCache
from serve.engine.grammar.json_schema import grammar_from_schema
from serve.engine.grammar.tokens import admitted_tokens, forced_tokens
from serve.engine.output import OutputProcessor
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.sequence import Request, Sampling, Sequence
from tests.support.tiny_gguf import tiny_gguf


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = Runner(RunnerConfig(tiny_gguf(tmp_path_factory.mktemp("gguf")), n_ctx=64, n_threads=1, n_threads_batch=1))
    yield runner
    runner.close()


def matches(grammar: Grammar, text: str) -> bool:
    state = grammar.start
    for char in text:
        state = state.advance(char.encode())
        if state is None:
            return False
    return state.accepting


BAD = [
    ("", "no rule named root"),
    ("# only a comment", "no rule named root"),
    ("start ::= 'a'", "line 1 column 11"),
    ('root = "a"', "expected `::=`"),
    ('root ::= "a', "not closed"),
    ("root ::= [a-z", "not closed"),
    ("root ::= [z-a]", "reversed"),
    ('root ::= ("a"', "expected `)`"),
    ('root ::= "a")', "unexpected ')'"),
    ("root ::= *", "nothing before"),
    ('root ::= "a"{2', "expected a repetition"),
    ('root ::= "a"{5,2}', "reversed"),
    ('root ::= "a"{9999}', "beyond 2000"),
    ('root ::= "a"{999999999999}', "expected a repetition"),
    ('root ::= (("a"{1000}){1000}){1000}', "parts once repetitions"),
    ('root ::= ""{2000}{2000}{2000}{2000}', "parts once repetitions"),
    ('root ::= "a"{0}{2000}{2000} (){2000}{2000}', "parts once repetitions"),
    ("root ::= (" + '"a" | ' * 9_000 + '"b"){2000}{25}', "parts once repetitions"),
    ('root ::= "a"' + "*" * 5000, "nests alternatives"),
    ("root ::= r1\n" + "\n".join(f'r{i} ::= "a"' for i in range(1, 2500)), "more than 2000 rules"),
    ('root ::= "\\q"', "unknown escape"),
    ('root ::= "\\uD800"', "not a character"),
    ('root ::= "\\U00110000"', "not a character"),
    ('root ::= "a\0b"', "NUL"),
    ("root ::= missing", "missing, which is not defined"),
    ('root ::= "a"\nother ::= nowhere', "nowhere, which is not defined"),
    ("root ::= root", "left-recursive"),
    ('root ::= root "a" | "b"', "left-recursive"),
    ('root ::= a\na ::= b\nb ::= a "x" | "y"', "left-recursive"),
    ('root ::= e root "x"\ne ::= ""', "left-recursive"),
    ('root ::= ("a"? "b"*) root', "left-recursive"),
    ("root ::= " + "(" * 100 + '"a"' + ")" * 100, "nested deeper"),
    ("root ::= " + "(" * 100_000, "characters"),
    ("root ::= <[12]>", "token elements"),
    ("root ::= !<think>", "token elements"),
    ('root ::= "' + "a" * 70_000 + '"', "characters"),
    ("root ::= []", "no text at all"),
    (
        "\n".join(f"r{i} ::= r{i + 1}" for i in range(5000)) + '\nr5000 ::= r0 "a"\nroot ::= r0',
        "characters or left-recursive",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_grammar_is_a_typed_error_that_says_why(text, message):
    with pytest.raises(GrammarError) as caught:
        Grammar(text)
    assert any(option in str(caught.value) for option in message.split(" or "))


def test_a_grammar_that_parses_one_text_in_thousands_of_ways_is_rejected_before_memory_runs_out():
    parts = " ".join(f"(x{i} | y{i})" for i in range(30))
    rules = "\n".join(f'x{i} ::= ("a" "b"?)*\ny{i} ::= ("a"? "b")*' for i in range(30))
    started = time.perf_counter()
    try:
        state = Grammar(f"root ::= ({parts})*\n{rules}").start
        for _ in range(50):
            state = state.advance(b"ab")
    except GrammarError:
        pass
    assert time.perf_counter() - started < 20


def test_an_ambiguous_grammar_takes_bounded_memory():
    parts = " | ".join(f'[a-z]* "{a}{b}" [a-z]{{60}}' for a in "abcde" for b in "fghijkl")
    state, rng = Grammar(f"root ::= {parts}").start, random.Random(1)
    grammar = state._grammar
    with pytest.raises(GrammarError, match="too ambiguous"):
        for _ in range(20_000):
            state = state.advance(rng.choice("abcdefghijkl").encode())
    assert grammar.oversized
    assert sum(len(state.configurations) for state in grammar._states.values()) < MAX_TOTAL_CONFIGURATIONS


def test_a_state_remembers_few_rejected_texts():
    state = Grammar('root ::= "a" | "b"').start
    assert all(state.advance(f"x{i}".encode()) is None for i in range(1000))
    assert len(state._tokens) == MAX_REJECTED
    assert state.advance(b"a") is state.advance(b"a") and state._tokens[b"a"] is not None


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "a"{1,' + " " * 49_000,
        'root ::= "a" ' + "e " * 2000 + ' root "b"\ne ::= ""',
        "root ::= [a-z] " + "r " * 1300 + '"x"\nr ::= ' + "|" * 47_000,
        "root ::= x{50}\nx ::= [ -~] " + "e " * 2000 + '\ne ::= ""',
        "root ::= r\nr ::= " + "e " * 14_000 + '"z" ' + " ".join(f"a{i}" for i in range(1990))
        + "\n" + "\n".join(f'a{i} ::= ""' for i in range(1990)) + '\ne ::= ""',
        "root ::= [" + "".join(chr(i) for i in range(65, 90, 2)) + "]{2000}{49}",
        "root ::= (" + "|".join(f'"{"a" * i}"' for i in range(1, 102)) + ('|"' + "a" * 101 + '"') * 300 + "){90}",
    ],
)  # fmt: skip
def test_no_grammar_takes_long_to_compile_or_to_follow(text):
    began = time.process_time()
    with suppress(GrammarError):
        state = Grammar(text).start
        for _ in range(5):
            data, after = state.forced()
            state = after if data else next(filter(None, map(state.step, b"ax~AB")), state)
    assert time.process_time() - began < 3, "without the limits, they take from four seconds to hours"


def test_a_long_chain_of_rules_that_may_be_empty_is_followed_to_its_end():
    names = list(range(1500))
    random.Random(1).shuffle(names)
    rules = [f"r{a} ::= r{b}" for a, b in zip(names, names[1:], strict=False)]
    end = names[-1]
    assert matches(Grammar("\n".join([f'root ::= r{names[0]} "x"', *rules, f'r{end} ::= "y" | ""'])), "x")
    with pytest.raises(GrammarError, match="left-recursive"):
        Grammar("\n".join([f'root ::= r{names[0]} root | "x"', *rules, f'r{end} ::= ""']))


@given(st.text(alphabet='rot:=|()[]{}*+?"\\ \n-^az09,.#<!\u00e9', max_size=60))
@settings(max_examples=400, deadline=None)
def test_no_text_raises_anything_but_a_grammar_error(text):
    try:
        Grammar("root ::= " + text)
    except GrammarError:
        pass


@pytest.mark.parametrize(
    ("grammar", "yes", "no"),
    [
        ('root ::= "a" | "b"', ["a", "b"], ["", "ab", "c"]),
        ('root ::= "a"*', ["", "a", "aaaa"], ["b"]),
        ('root ::= "a"{2,3}', ["aa", "aaa"], ["a", "aaaa"]),
        ('root ::= ("ab"){2,}', ["abab", "ababab"], ["ab", "aba"]),
        ("root ::= [a-c]+ [^a-c]", ["abz", "c\u00e9", "a\U0001f600"], ["a", "ab"]),
        ("root ::= .", ["x", "\n", "\u2603", "\U0001f600"], ["", "xx"]),
        ("root ::= [\u00e0-\u00ff\u4e00-\u9fff]+", ["\u00e9\u4e2d", "\u00ff"], ["e", "\u0100", "\u3fff"]),
        ('root ::= "(" root ")" | ""', ["", "()", "((()))"], ["(", "())"]),
        ('root ::= x "!" # comment\nx ::= (\n "a" |\n "b"\n)', ["a!", "b!"], ["a"]),
        ('root ::= "\\x41\\u00e9\\n\\"\\\\"', ['A\u00e9\n"\\'], ["A"]),
        ("root ::= [\\]\\-a]+", ["]-a"], ["b"]),
        ('root ::= "ab" | "abc" [x-z] | "a" | "abc" root | "b"', ["a", "ab", "abcx", "abcab", "b"], ["", "abc", "ax"]),
        ('root ::= "\u00e9x" | "\u00e8" "y"?', ["\u00e9x", "\u00e8", "\u00e8y"], ["\u00e9", "\u00e9y"]),
    ],
)
def test_a_grammar_admits_what_it_says_and_nothing_else(grammar, yes, no):
    compiled = Grammar(grammar)
    assert [text for text in yes if not matches(compiled, text)] == []
    assert [text for text in no if matches(compiled, text)] == []


scalar = st.characters(exclude_categories=["Cs"], min_codepoint=1)


@given(st.lists(st.tuples(scalar, scalar), min_size=1, max_size=4), st.booleans(), scalar)
@settings(max_examples=300, deadline=None)
def test_a_character_class_matches_by_code_point_through_its_bytes(pairs, negated, probe):
    ranges = [(min(pair), max(pair)) for pair in pairs]
    body = "".join(f"\\U{ord(low):08x}-\\U{ord(high):08x}" for low, high in ranges if ord(low) and ord(high))
    grammar = Grammar(f"root ::= [{'^' if negated else ''}{body}]")
    for char in [probe, *sum(ranges, ())]:
        inside = any(low <= char <= high for low, high in ranges)
        assert matches(grammar, char) == (inside != negated)


def random_grammar(rng: random.Random) -> str:
    """A grammar whose repeated items match at least one character: llama.cpp rejects the others."""
    names = [f"r{i}" for i in range(rng.randint(1, 4))]

    def item(level: int, depth: int) -> str:
        kind = rng.randrange(7)
        if kind == 0 and level + 1 < len(names):
            return rng.choice(names[level + 1 :])
        if kind == 1 and depth < 2:
            return "(" + choice(level, depth + 1) + ")" + rng.choice(["", "", "?"])
        if kind == 2:
            return rng.choice(["[a-e]", "[^a-m]", "[0-9]", ".", "[r\u00e9\u4e2d]"]) + rng.choice(
                ["", "*", "+", "{1,3}"]
            )
        words = ["runs", "run", "r", "batter", " ", "=", "P1", "\u00e9", "of the", "1"]
        return json.dumps(rng.choice(words), ensure_ascii=False) + rng.choice(["", "", "", "?", "+", "{2}"])

    def choice(level: int, depth: int) -> str:
        options = [" ".join(item(level, depth) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 3))]
        return " | ".join(options)

    return "root ::= " + choice(-1, 0) + "\n" + "\n".join(f"{n} ::= {choice(i, 0)}" for i, n in enumerate(names))


class NativeGrammar:
    """llama.cpp's grammar sampler over all tokens, as the reference."""

    def __init__(self, runner: Runner, text: str) -> None:
        self.api, self.size = runner._library.api, runner.vocabulary.size
        vocab = self.api.llama_model_get_vocab(runner._model)
        self.sampler = self.api.llama_sampler_init_grammar(vocab, text.encode(), b"root")
        self.data = (self.api.llama_token_data * self.size)()

    def allowed(self) -> set[int]:
        for i, entry in enumerate(self.data):
            entry.id, entry.logit = i, 0.0
        array = self.api.llama_token_data_array(data=self.data, size=self.size, selected=-1, sorted=False)
        self.api.llama_sampler_apply(self.sampler, ctypes.byref(array))
        return {entry.id for entry in self.data if entry.logit == 0.0}

    def accept(self, token: int) -> None:
        self.api.llama_sampler_accept(self.sampler, token)


def test_random_grammars_admit_the_same_tokens_as_llama_cpp_along_random_texts(runner):
    vocabulary, rng = runner.vocabulary, random.Random(7)
    walked = 0
    for _ in range(60):
        text = random_grammar(rng)
        state, native = Grammar(text).start, NativeGrammar(runner, text)
        assert native.sampler, text
        for _ in range(8):
            ours = {t for t in range(vocabulary.size) if state.advance(vocabulary.pieces[t]) is not None}
            ours |= vocabulary.eog if state.accepting else set()
            theirs = native.allowed()
            # In llama.cpp, control tokens match the text of their name; here they never match. It also admits some
            # pieces that start a character of which no continuation matches (it checks the range they span).
            for token in ours ^ theirs:
                piece = vocabulary.pieces[token]
                assert token in theirs and (not piece or not piece.isascii()), (text, token, piece)
            choices = sorted(ours - vocabulary.eog)
            if not choices:
                break
            token = rng.choice(choices)
            state = state.advance(vocabulary.pieces[token])
            native.accept(token)
            walked += 1
        runner._library.api.llama_sampler_free(native.sampler)
    assert walked > 200


def test_text_is_forced_up_to_the_first_choice_and_only_in_whole_characters():
    state = Grammar('root ::= "total \u00e9" ("\u00e8" | "\u00e9") [0-9] "."').start
    data, after = state.forced()
    assert data.decode() == "total \u00e9"
    data, after = after.advance("\u00e8".encode()).advance(b"5").forced()
    assert data == b"." and after.complete
    assert len(Grammar('root ::= "ab" root').start.forced()[0]) == 512
    assert len(Grammar(f'root ::= "{"a" * 600}"').start.forced()[0]) == 512


def test_alternatives_with_a_common_prefix_share_configurations():
    texts = ["a" * i for i in range(1, 300)]  # each is a prefix of all longer ones
    state = Grammar("root ::= " + " | ".join(f'"{text}!"' for text in texts)).start
    assert len(state.configurations) == 1
    for _ in range(50):
        state = state.advance(b"a")
        assert len(state.configurations) <= 2
    assert state.advance(b"!").complete


def test_forced_tokens_stop_before_a_choice_that_a_token_could_span(runner):
    vocabulary = runner.vocabulary
    both = Grammar('root ::= " f" ("ours" | "inal")').start
    assert both.forced()[0] == b" f" and forced_tokens(both, vocabulary) == ([], both)
    assert b" final" in vocabulary.pieces and b" fours" in vocabulary.pieces
    digit = Grammar('root ::= " phase=P" [0-9]').start
    tokens, after = forced_tokens(digit, vocabulary)
    assert vocabulary.text(tokens) == b" phase=P" and after.mask == digit.forced()[1].mask
    tokens, after = forced_tokens(Grammar('root ::= " runs"').start, vocabulary)
    assert tokens == vocabulary.tokenize(" runs") and after.complete


def test_a_cached_grammar_costs_almost_nothing():
    text = "root ::= " + " | ".join(f'"measure-{i} by " [a-z]+ ("=" [0-9]+)?' for i in range(300))
    cache = GrammarCache()
    started = time.perf_counter()
    cache.get(text)
    first = time.perf_counter() - started
    started = time.perf_counter()
    again = cache.get(text)
    assert time.perf_counter() - started < first / 20
    assert again is cache.get(text)


def test_alternatives_nested_too_deeply_are_a_typed_error():
    text = '"b"'
    for _ in range(30):
        text = " | ".join(f'"{"a" * i}"' for i in range(1, 60)) + f' | "{"a" * 60}" ({text})'
    with pytest.raises(GrammarError, match="nests alternatives"):
        Grammar(f"root ::= {text}")


def test_the_cache_evicts_the_least_recently_used():
    cache = GrammarCache(max_grammars=2)
    first = cache.get('root ::= "0"')
    second = cache.get('root ::= "1"')
    assert cache.get('root ::= "0"') is first
    cache.get('root ::= "2"')
    assert cache.get('root ::= "0"') is first
    assert cache.get('root ::= "1"') is not second


def test_the_cache_holds_few_large_grammars():
    cache = GrammarCache(max_size=1000)
    texts = [f'root ::= "{letter * 300}"' for letter in "abcd"]
    first = [cache.get(text) for text in texts]
    assert cache.get(texts[3]) is first[3] and cache.get(texts[2]) is first[2]
    assert cache.get(texts[0]) is not first[0]
    large = f'root ::= "{"a" * 2000}"'
    assert cache.get(large) is cache.get(large)  # the newest is never evicted


def test_a_json_schema_becomes_a_grammar_that_admits_its_documents():
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}, "top": {"type": "integer"}},
        "required": ["query", "top"],
    }
    grammar = Grammar(grammar_from_schema(schema))
    assert matches(grammar, '{"query": "runs \u00e9", "top": 5}')
    assert not matches(grammar, '{"query": 5, "top": 5}')
    with pytest.raises(GrammarError, match="cannot be converted"):
        grammar_from_schema({"type": "nonsense"})
    with pytest.raises(GrammarError):
        grammar_from_schema("{not json")


def references(depth: int) -> dict:
    """A schema that doubles with every level."""
    both = [{"allOf": 2 * [{"$ref": f"#/$defs/a{i}"}]} for i in range(depth)]
    levels = [{"type": "null"}, *both[:-1]]
    return {"$defs": {f"a{i}": {"properties": {"x": level}} for i, level in enumerate(levels)}} | both[-1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 300_000_000},
        {"type": "string", "minLength": -300_000_000, "maxLength": 1},
        {"type": "string", "minLength": 5, "maxLength": 1},
        {"type": "array", "items": {"type": "array", "items": {"type": "null"}, "maxItems": 10**9}},
        {"properties": {"a": {"type": "string", "pattern": "^a{300000000}$"}}},
        {"type": "string", "pattern": "^a{2_000_000_000}$"},
        {"type": "string", "pattern": "^[ab]{0,\t300000000}$"},
    ],
)
def test_a_json_schema_s_repetitions_are_limited(schema):
    with pytest.raises(GrammarError, match="the JSON schema has a repetition of .* up to 2000"):
        grammar_from_schema(json.dumps(schema))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (references(30), "too long"),
        ({"properties": {f"p{i}": {} for i in range(900)}}, "properties"),
        ({"properties": {"A" * 30_000: {"properties": {f"a{i}": {"const": i} for i in range(50)}}}}, "too long"),
    ],
)
def test_a_json_schema_that_grows_without_end_is_rejected(schema, message):
    with pytest.raises(GrammarError, match=message):
        Grammar(grammar_from_schema(schema))


def test_a_json_schema_may_use_repetitions_up_to_the_limit():
    schema = {"type": "string", "pattern": "^[a-z]{3,200}-([0-9]{2}){2}$"}
    assert matches(Grammar(grammar_from_schema(schema)), '"abc-0123"')
    text = Grammar(grammar_from_schema({"type": "string", "minLength": 2, "maxLength": 2000}))
    assert [n for n in (1, 2, 3, 1999, 2000, 2001) if matches(text, f'"{"a" * n}"')] == [2, 3, 1999, 2000]
    for least in (0, 1, 3):
        array = {"type": "array", "items": {"type": "integer"}, "minItems": least, "maxItems": 5}
        grammar = Grammar(grammar_from_schema(array))
        found = [n for n in range(8) if matches(grammar, json.dumps(list(range(n))).replace(" ", ""))]
        assert found == list(range(least, 6))
    for pattern in ("^(c|d(c|d)?)?$", "^([A-Z]{1,3}){1,2}(-[0-9]{1,2}){0,1}$", "^(xx{0,100})*$", "^a{3}b{2,}$"):
        grammar = Grammar(grammar_from_schema({"type": "string", "pattern": pattern}))
        for text in ("", "c", "dc", "cc", "cd", "AB", "ABCD-12", "AB-1-2", "x" * 90, "aaabb", "aaab", "aaabbb"):
            assert matches(grammar, f'"{text}"') == bool(re.fullmatch(pattern, text)), (pattern, text)
    ordinary = {"type": ["string", "null"], "maxLength": 4000}
    assert matches(Grammar(grammar_from_schema(ordinary)), "null")
    assert matches(Grammar(grammar_from_schema({"anyOf": [{"const": f"c{i}"} for i in range(1000)]})), '"c999"')


def test_ranges_of_a_class_are_merged_and_complemented():
    rules = gbnf.parse("root ::= [c-da-bx] [^b]")
    first, second = rules["root"].options[0]
    assert first.ranges == ((97, 100), (120, 120))
    assert second.ranges == ((0, 97), (99, gbnf.MAX_CODEPOINT))


@pytest.mark.parametrize(
    "text",
    [
        'root ::= ("runs" | "run rate" | "wickets") " by " [a-zé☃]+ "."?',
        "root ::= [ -~]{20}",
        "root ::= [^é]+",
        'root ::= "P" [1-9] | "Virat Kohli" | "Vi" [a-z]*',
    ],
)
def test_the_list_of_admitted_tokens_agrees_with_testing_each_token(runner, text):
    vocabulary, rng = runner.vocabulary, random.Random(1)
    state = Grammar(text).start
    for _ in range(12):
        listed = admitted_tokens(state, vocabulary).tolist()
        pieces = vocabulary.pieces
        asked = [t for t in range(vocabulary.size) if t not in vocabulary.eog and state.advance(pieces[t]) is not None]
        assert sorted(listed) == asked
        if not asked:
            break
        state = state.advance(pieces[rng.choice(asked)])


def test_the_largest_admitted_logit_is_chosen_and_end_of_sequence_only_where_admitted(runner):
    vocabulary, output = runner.vocabulary, OutputProcessor(runner.vocabulary, jump_forward=False)
    state = Grammar('root ::= "runs"*').start
    admitted = admitted_tokens(state, vocabulary).tolist()
    end = min(vocabulary.eog)
    row = np.arange(vocabulary.size, 0, -1, dtype=np.float32)
    row[admitted] = -np.arange(1, len(admitted) + 1)  # below all others: trying the largest finds none
    row[list(vocabulary.eog)] = -1000
    for ignore_eos, logit, expected in ((True, 1e6, admitted[0]), (False, 1e6, end), (False, -1000, admitted[0])):
        row[end] = logit
        request = Request([1], ignore_eos=ignore_eos)
        sequence = Sequence(request, [1], 0.0, 0.0, grammar=Grammar('root ::= "runs"*').start)
        assert output.sample(sequence, row[None], [int(row.argmax())], 0) == expected


def test_a_sample_is_drawn_from_what_was_found_where_the_work_of_a_token_ends(runner, monkeypatch):
    monkeypatch.setattr(automaton, "MAX_EXPLORED_TOKEN", 300)
    vocabulary, output = runner.vocabulary, OutputProcessor(runner.vocabulary, jump_forward=False)
    state = Grammar("root ::= " + " | ".join(f'[{c}] [a-z ]{{0,30}} "."?' for c in "abcdefgh")).start
    row = np.random.default_rng(1).normal(size=vocabulary.size).astype(np.float32)
    sequence = Sequence(Request([1]), [1], 0.0, 0.0, grammar=state)
    sequence.sampler = runner.sampler(Sampling(temperature=1.0, seed=1), [1])
    state.begin_token()
    assert state.advance(vocabulary.pieces[output.sample(sequence, row[None], [int(row.argmax())], 0)]) is not None
    assert len(output._candidates(sequence, state, row, 400)) < 400


def test_what_is_forced_after_a_sample_has_work_of_its_own(runner, monkeypatch):
    token = next(t for t in range(runner.vocabulary.size) if runner.vocabulary.pieces[t] == b"a")

    def exhausting(self, sequence, rows, best, at):
        grammar = sequence.grammar._grammar
        grammar._explored = grammar._explored_limit
        return token

    monkeypatch.setattr(OutputProcessor, "sample", exhausting)
    state = Grammar('root ::= [a-h] ("forced one" | "forced two")').start
    sequence = Sequence(Request([1], 64), [1], 0.0, 0.0, grammar=state)
    sequence.sampler = runner.sampler(Sampling(temperature=1.0, seed=1), [1])
    OutputProcessor(runner.vocabulary, jump_forward=True).process(sequence, np.zeros((1, 1)), [0], 0)
    assert sequence.text.startswith(b"afor"), sequence.text
