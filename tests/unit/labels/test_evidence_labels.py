"""Every assumption, test, refusal, rung and verdict that the code can give has its words in both languages.

Keys are read from the source by its syntax tree, so that a new one without a label fails here.
"""

import ast
from pathlib import Path

import jobchance
from jobchance.identification.cards import STATUSES
from jobchance.identification.ladder import ESTIMANDS, RUNGS
from jobchance.labels.load import MANDATORY, has_label, label_table

ROOT = Path(jobchance.__file__).parent
FOLDERS = ("identification", "models")
ASSUMPTION_MAKERS = ("Assumption", "_tested")
# Where a key is decided by the caller, the key stands as the first text of a tuple in the same function.


def functions():
    """Every outermost function and method of the folders, with the module it stands in."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    yield path, node


def called(call):
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def texts(node):
    """Plain texts that an expression may be: a constant, or either side of a choice."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.IfExp):
        return texts(node.body) | texts(node.orelse)
    return set()


def assigned(function, name):
    """Texts that a local name may hold: assigned, unpacked from a tuple, or first of the tuples of a loop."""
    found, looped = set(), False
    for node in ast.walk(function):
        pairs = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs += list(zip(target.elts, node.value.elts, strict=True))
                else:
                    pairs.append((target, node.value))
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id == name:
                found |= texts(value)
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Tuple):
            looped |= any(isinstance(e, ast.Name) and e.id == name for e in node.target.elts)
    if looped:
        heads = [n.elts[0] for n in ast.walk(function) if isinstance(n, ast.Tuple) and len(n.elts) > 1]
        found |= {text for head in heads for text in texts(head) if text.isidentifier()}
    return found


def argument(call, place, keyword):
    given = [k.value for k in call.keywords if k.arg == keyword]
    return given[0] if given else call.args[place] if len(call.args) > place else None


def resolve(function, node):
    if isinstance(node, ast.Name):
        return assigned(function, node.id)
    if isinstance(node, ast.Subscript):  # tests[0][0]
        return {
            t for n in ast.walk(function) if isinstance(n, ast.Tuple) and n.elts for t in texts(n.elts[0])
        }
    return texts(node)


def assumption_keys():
    names, tests, unread = set(), set(), []
    for path, function in functions():
        parameters = {a.arg for a in function.args.args}
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            if called(call) not in ASSUMPTION_MAKERS or any(k.arg is None for k in call.keywords):
                continue
            for place, keyword, into in ((0, "name", names), (2, "test", tests)):
                node = argument(call, place, keyword)
                if node is None or (isinstance(node, ast.Name) and node.id in parameters):
                    continue
                found = resolve(function, node)
                into |= found
                if not found:
                    unread.append(f"{path.name}:{call.lineno} {keyword}")
    return names, tests, unread


def missing_keys():
    """Keys of IdentificationErrors: texts that are put into what becomes `missing`."""
    found = {"rows", "estimate", "design", "columns", "disclosure"}  # of the ladder and its disclosure
    for _, function in functions():
        raises = [
            n for n in ast.walk(function) if isinstance(n, ast.Call) and called(n) == "IdentificationError"
        ]
        for call in raises:
            node = argument(call, 1, "missing")
            inside = [n for n in ast.walk(node) if isinstance(n, ast.Constant)] if node is not None else []
            found |= {n.value for n in inside if isinstance(n.value, str)}
            found |= collected(function)
        if function.name in ("_lacking", "_require_movers"):
            found |= collected(function)
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call) and called(n) == "_refuse"):
            found |= {
                t for arg in call.args if isinstance(arg, ast.Dict) for k in arg.keys if k for t in texts(k)
            }
    return {key for key in found if key.isidentifier()}


def collected(function):
    """Keys of `lacking["key"] = ...`, `missing.append("key")`, `lacks.append(("key", ...))`, {"key": ...}."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                owner = getattr(target, "value", None)
                named = isinstance(owner, ast.Name) and owner.id in ("lacking", "missing", "faults", "lacks")
                if isinstance(target, ast.Subscript) and named:
                    found |= resolve(function, target.slice)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict) and function.name == "_lacking":
            found |= {t for key in node.value.keys if key is not None for t in texts(key)}
        if isinstance(node, ast.Call) and called(node) == "append" and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in ("missing", "lacks", "problems"):
                first = node.args[0]
                if isinstance(first, ast.Tuple):
                    found |= texts(first.elts[0])
                elif owner.id == "missing":
                    found |= texts(first)
        if isinstance(node, ast.ListComp) and isinstance(node.elt, ast.Tuple):
            found |= texts(node.elt.elts[0])
    return found


def lacking(keys):
    table = label_table()
    return sorted(
        f"{key} ({lang})"
        for key in keys
        for lang in MANDATORY
        if not table.get(key, {}).get(lang, "").strip()
    )


def test_every_assumption_and_test_of_the_source_has_words():
    names, tests, unread = assumption_keys()
    assert unread == []
    assert {"random_assignment", "exclusion", "no_confounding", "enough_movers", "balance"} <= names
    assert {"balance_joint", "effective_f", "steps_against_form", "assignment_rule"} <= tests
    keys = [f"assumption.{name}" for name in names] + [f"assumption_test.{test}" for test in tests]
    assert lacking(keys) == []


def test_every_refusal_of_the_source_has_words():
    keys = missing_keys()
    assert {"rows", "events", "shifts", "action", "common_trait", "connected_set", "shift_reason"} <= keys
    assert lacking(f"missing.{key}" for key in keys) == []


def test_no_words_for_what_the_source_never_gives():
    names, tests, _ = assumption_keys()
    known = {f"assumption.{n}" for n in names} | {f"assumption_test.{t}" for t in tests}
    known |= {f"missing.{key}" for key in missing_keys()}
    topics = ("assumption.", "assumption_test.", "missing.")
    assert sorted(k for k in label_table() if k.startswith(topics) and k not in known) == []


def test_every_rung_estimand_and_status_has_words():
    keys = [f"rung.{rung}.{part}" for rung in RUNGS for part in ("name", "estimand")]
    keys += [f"verdict.status.{status}" for status in (*STATUSES, "missing")]
    assert lacking(keys) == []
    assert set(ESTIMANDS) == set(RUNGS)


def test_assumptions_are_clauses_that_fit_inside_a_sentence():
    for key, texts_of in label_table().items():
        if key.startswith(("assumption.", "missing.")):
            for lang in MANDATORY:
                text = texts_of[lang]
                assert not text.endswith("."), key
                assert text[0].islower(), key


def test_the_walker_would_notice_a_new_key():
    source = 'def f(p):\n    name, test = "brand_new", "its_test"\n    return Assumption(name, "holds", test)'
    function = ast.parse(source).body[0]
    call = next(n for n in ast.walk(function) if isinstance(n, ast.Call))
    assert resolve(function, call.args[0]) == {"brand_new"}
    assert not has_label("assumption.brand_new")
