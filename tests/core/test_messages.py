"""Messages are found in the code, split into cause and mend, and every one has both."""

import re
import time

import pytest

from neurodecode.core.message_search import find_by_words, find_messages, format_page
from neurodecode.core.messages import PACKAGE, Hole, Message, list_messages, split_message
from neurodecode.core.stage import STAGE_FOLDERS

# Words of the code, which say nothing to who reads a message, and words that blame.
UNKIND = ("instance", "ref", "token", "dict", "kwargs", "ndarray", "invalid", "illegal", "forgot",
          "failed to", "unexpected", "you must")  # fmt: skip
# Where the word is the language's, the field's or the user's own.
OF_THE_FIELD = ("for instance", "tokens", "tokenizer", "TypedDict", "a dict of one", "state dict")

MODULE = '''
"""A module of a package. It has messages."""
WHERE = "toy.stage"

class Stage:
    stage: ClassVar[str] = "toy.thing"

    @model_validator(mode="after")
    def _check(self):
        raise ValueError("a is set without b. Set b, too.")

    def run(self, rows, known):
        where = f"{self.stage}: fold {k}"
        if not rows:
            raise DataError(f"{where} has {len(rows)} rows. Allowed: two or more.") from None
        try:
            int("x")
        except ValueError as error:
            raise UserError(f"frame: {error}") from error
        text = "number 1. Give it." if rows else "null. Give it."
        draft.complain(3, f"{spec.name}: {text}")
        raise ValueError("not for the user")

def _refuse(name, known):
    return PipelineError([f"{WHERE}: no '{name}'.{name_nearest(name, known)} Known: "
                          f"{list_names(known)}."])
'''


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return list_messages()


@pytest.fixture
def toy(tmp_path) -> dict[str, Message]:
    (tmp_path / "toy.py").write_text(MODULE)
    return {m.raised_in[0].rpartition(".")[2]: m for m in list_messages(tmp_path)}


def test_messages_are_read_from_the_code(toy):
    assert set(toy) == {"_check", "run", "_refuse"}
    assert toy["_check"].text == "{file}:{line}: {step}: a is set without b. Set b, too."
    refused = toy["_refuse"]
    assert refused.kind == "PipelineError"
    assert refused.cause == "toy.stage: no '{name}'."
    assert refused.mend == "[Did you mean '{a known name}'?] Known: {known}."
    assert refused.raised_in == ("toy._refuse",)


def test_names_stand_for_what_they_are_set_to(tmp_path):
    (tmp_path / "toy.py").write_text(MODULE)
    texts = {m.text for m in list_messages(tmp_path)}
    assert "toy.thing: fold {k} has {number of rows} rows. Allowed: two or more." in texts
    assert "{file}:{line}: {step}: number 1. Give it." in texts
    assert "{file}:{line}: {step}: null. Give it." in texts
    assert not any("frame" in text or "not for the user" in text for text in texts)


def test_a_message_is_split_at_the_first_thing_to_do():
    assert split_message("a: b is 3. It may not be. Allowed: 1, 2. Lower it.") == (
        "a: b is 3. It may not be.", "Allowed: 1, 2. Lower it.",
    )  # fmt: skip
    assert split_message("a: no 'x'. [Did you mean 'y'?] Known: y.")[1].startswith("[Did you")
    assert split_message("a: nothing can be done. It is so.")[1] == ""
    assert split_message("Give up.") == ("Give up.", ""), "a mend without a cause is none"


def test_every_message_has_a_cause_and_a_mend(messages):
    assert len(messages) > 300
    without = [
        f"{m.raised_in[0]}: {m.text}"
        for m in messages
        if m.kind not in ("Damage", "WriteError")
        and not (m.mend and (len(m.cause.split()) > 2 or m.cause.startswith("{")))
    ]
    assert not without, (
        "say what is wrong, then what is allowed or what to do (a sentence that begins with a word "
        "of ALLOWED or VERBS in core/messages.py):\n" + "\n".join(without)
    )


def test_messages_are_short_plain_and_ended(messages):
    for m in messages:
        own = " ".join(p for p in m.pieces if not isinstance(p, Hole))
        assert len(own.split()) <= 60, f"too long: {m.text}"
        for word in OF_THE_FIELD:
            own = own.replace(word, "")
        found = [w for w in UNKIND if re.search(rf"\b{w}s?\b", own, re.IGNORECASE)]
        assert not found, f"{m.raised_in[0]}: {found} in: {m.text}"
        assert m.text.endswith((".", "?", "}", ")", "]", "{lines}")), f"does not end: {m.text}"


def test_the_stages_that_messages_name_exist(messages):
    folders = "|".join((*STAGE_FOLDERS, "numerics"))
    for m in messages:
        for address in re.findall(rf"\b((?:{folders})\.[a-z_0-9]+)", m.text):
            path = PACKAGE.joinpath(*address.split(".")).with_suffix(".py")
            assert path.is_file(), f"{address} is named in: {m.text}"


def test_every_message_finds_itself(messages):
    """A message filled with values, broken into lines, among others: its own entry comes back."""
    for m in messages:
        filled = "".join(p if not isinstance(p, Hole) else _fill(p) for p in m.pieces)
        found = find_messages(f"FAILED scores\n  {_wrap(filled)}\n  traceback: /a/b.log", messages)
        assert _list_words(m) in [_list_words(f) for f in found], m.text


def test_several_messages_are_found_in_their_order(messages):
    text = (
        "neurodecode: 2 mistakes:\n  a.yaml:3: dec: input 'split' is missing: a step that gives"
        " Split."
        "\n      Write: split: split.\n  a.yaml:9: params: 'size' is never "
        "used. Remove it, or name it as ${size}.\n"
    )
    found = find_messages(text, messages)
    assert [m.raised_in[0] for m in found] == ["core.steps.check_missing", "core.root.check_used"]
    assert not find_messages("all is well, nothing was printed", messages)


def test_words_are_matched_in_their_order_and_as_near_as_they_stand():
    lengths = Message(
        "DataError", (Hole("{x}"), " rows here, ", Hole("{y}"), " rows there."), (), ""
    )
    absent = Message("DataError", ("the file of ", Hole("{x}"), " is absent."), (), "")
    assert find_messages("3 rows here, 4 rows there.", [lengths]) == [lengths]
    assert not find_messages("4 rows there. 3 rows here, then", [lengths])
    text = "it has rows here, but the file of rows is absent. 3 rows here, 4 rows there."
    assert find_messages(text, [lengths, absent]) == [absent, lengths]
    far = "3 rows here, " + "x" * 5000 + " rows there."
    assert not find_messages(far, [lengths])
    assert find_messages(f"{far} 3 rows here, 4 rows there.", [lengths]) == [lengths]


def test_a_long_paste_takes_no_time(messages):
    """Words are searched one after the other: what would stop a regex costs nothing."""
    start = time.perf_counter()
    find_messages("a: b '" + "Known: x. Give it: " * 50_000, messages)
    assert time.perf_counter() - start < 5


def test_messages_are_found_by_words(messages):
    found = find_by_words(["NaN", "columns"], messages)
    assert "core.checks.check_finite" in {name for m in found for name in m.raised_in}
    assert not find_by_words(["NaN", "xylophone"], messages)


def test_the_page_has_every_message_once(messages):
    page = format_page(messages)
    assert page.count("*Raised in*") == len(messages)
    kinds = {m.kind for m in messages}
    assert kinds == {"PipelineError", "LeakageError", "DataError", "UserError", "StepFailed",
                     "StoreError", "WriteError", "Damage", "TypeError"}  # fmt: skip


def _list_words(message: Message) -> list[str]:
    return [p for p in message.pieces if not isinstance(p, Hole)]


def _fill(hole: Hole) -> str:
    if hole.words.startswith((" [", "[")):
        return ""
    return hole.words.strip("()").split(" | ")[0] if hole.words.startswith("(") else "x7"


def _wrap(text: str) -> str:
    words = text.split()
    return "\n      ".join(" ".join(words[i : i + 9]) for i in range(0, len(words), 9))
