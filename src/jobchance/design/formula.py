"""`parse_formula`: outcome, fixed terms, random-effects terms and instruments of a model formula.

Terms follow the algebra of Wilkinson & Rogers (1973) as R reads it; random terms follow lme4's notation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jobchance.design.arithmetic import check_factor, check_placed
from jobchance.design.nodes import (
    Bar,
    Bracket,
    Call,
    Interaction,
    Name,
    Node,
    Number,
    Power,
    Product,
    Sum,
    columns_of,
    render,
)
from jobchance.design.parser import parse_sides
from jobchance.design.syntax import complaint
from jobchance.errors import FormulaError

MAX_TERMS = 1_000
MAX_POWER = 10
MAX_WORK = 100_000
INTERCEPT = "(Intercept)"

Term: TypeAlias = tuple[Node, ...]
_Terms: TypeAlias = dict[frozenset[Node], Term]


@dataclass(frozen=True)
class RandomTerm:
    """Effects that vary by group: `(1 + x | g)`.

    Parameters
    ----------
    intercept : bool
        Whether the group's own level is among the effects.
    terms : tuple of Term
        Other effects.
    group : tuple of str
        The grouping column, or several for their combinations (`a:b`).
    correlated : bool
        `False` for `||`.
    """

    intercept: bool
    terms: tuple[Term, ...]
    group: tuple[str, ...]
    correlated: bool

    @property
    def label(self) -> str:
        """Name of the grouping, such as `caseworker_id` or `jobcentre_id:team_id`."""
        return ":".join(self.group)


@dataclass(frozen=True)
class InstrumentTerms:
    """Endogenous terms and their excluded instruments, `[belief ~ optimism]`."""

    endogenous: tuple[Term, ...]
    excluded: tuple[Term, ...]


@dataclass(frozen=True)
class Formula:
    """A formula taken apart; compares equal when the model is the same.

    Parameters
    ----------
    text : str
        As written.
    outcome : Node or None
        Left side: a column, `log(column)`, `I(arithmetic)` or `cbind(successes, failures)`.
    intercept : bool
        Whether the fixed part has an intercept.
    terms : tuple of Term
        Fixed terms, main effects before interactions; a term is a tuple of factors.
    random : tuple of RandomTerm
        Random-effects terms, nested groupings already expanded.
    offsets : tuple of Node
        What stands in `offset()`: known parts of the linear predictor, to be summed.
    instruments : InstrumentTerms or None
        What stands in square brackets.
    """

    text: str
    outcome: Node | None
    intercept: bool
    terms: tuple[Term, ...]
    random: tuple[RandomTerm, ...]
    offsets: tuple[Node, ...] = ()
    instruments: InstrumentTerms | None = None

    @property
    def fixed(self) -> Formula:
        """The fixed part alone, endogenous terms among it, with canonical text."""
        endogenous = self.instruments.endogenous if self.instruments else ()
        return one_side(self.intercept, tuple(sorted((*self.terms, *endogenous), key=len)))

    @property
    def first_stage(self) -> Formula:
        """The right side of a first stage: the fixed part with instruments for the endogenous terms."""
        excluded = self.instruments.excluded if self.instruments else ()
        return one_side(self.intercept, tuple(sorted((*self.terms, *excluded), key=len)))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the data that the formula names, outcome first."""
        nodes = [
            *([self.outcome] if self.outcome else []),
            *(factor for term in self.terms for factor in term),
            *self.offsets,
        ]
        if self.instruments:
            both = (*self.instruments.endogenous, *self.instruments.excluded)
            nodes += [factor for term in both for factor in term]
        nodes += [factor for random in self.random for term in random.terms for factor in term]
        names = [name.name for node in nodes for name in columns_of(node)]
        return tuple(dict.fromkeys([*names, *(column for random in self.random for column in random.group)]))


def parse_formula(text: str, *, instruments: bool = False) -> Formula:
    """Read a model formula; no code is evaluated and no data are needed.

    Fixed part: `+`, `-`, `:`, `*`, `/`, `^n`, parentheses, `0`/`1`, `C(x, ref="level")`, `I(arithmetic)`,
    `log(x)`, `poly(x, 2)`, `spline(x, df=4)`, `offset(z)`. Random part: `(1 + x | g)`, `(x || g)`,
    `(1 | a/b)`. Left side: a column, `log()`, `I()` or `cbind(successes, failures)`.

    Parameters
    ----------
    text : str
        For example `"job ~ belief + C(education) + (1 | caseworker_id)"`.
    instruments : bool
        Whether the model reads instruments, one `[endogenous ~ excluded]` between plus signs.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        The text is outside the grammar, an effect varies by the same grouping in two random terms, or there
        are instruments that the model does not read; the message shows the place with a caret.

    References
    ----------
    Wilkinson & Rogers (1973), Applied Statistics 22, 392-399; Bates et al. (2015), J. Stat. Softw. 67(1).

    Examples
    --------
    >>> formula = parse_formula("job ~ belief * sex + (1 | caseworker_id)")
    >>> [term_label(term) for term in formula.terms]
    ['belief', 'sex', 'belief:sex']
    >>> formula.random[0].label
    'caseworker_id'
    """
    left, right = parse_sides(text)
    expander = _Expander(text)
    if left is not None:
        expander.check_outcome(left)
    side = expander.top(right)
    if side.bracket is not None and not instruments:
        raise expander.error(
            side.bracket, "square brackets hold instruments, which this model does not read; use fit_iv"
        )
    if left is not None:
        expander.check_apart(left, right)
    random = tuple(term for bar in side.bars for term in expander.random(bar))
    offsets = tuple(call.arguments[0] for call in side.offsets)
    excluded = None if side.bracket is None else expander.instruments(side.bracket, side.terms)
    return Formula(text, left, side.intercept, side.terms, random, offsets, excluded)


def one_side(intercept: bool, terms: tuple[Term, ...]) -> Formula:
    """A formula of covariates only, `~ 1 + x`, whose text reads back as the same terms."""
    text = "~ " + " + ".join(["1" if intercept else "0", *map(term_label, terms)])
    return Formula(text, None, intercept, terms, ())


def term_label(term: Term) -> str:
    """Canonical text of a term, `a:b` for an interaction."""
    return ":".join(render(factor) for factor in term)


@dataclass(frozen=True)
class _Side:
    """A right side, or the effects before a bar; terms by rising degree."""

    intercept: bool
    terms: tuple[Term, ...]
    bars: list[Bar]
    offsets: list[Call]
    bracket: Bracket | None = None


class _Expander:
    """Turns nodes into sets of terms; holds the text for messages and which effects vary by what."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.work = 0
        self.varying: set[tuple[frozenset[str], frozenset[Node]]] = set()
        self.labels: dict[str, tuple[str, ...]] = {}

    def top(self, node: Node) -> _Side:
        """Take one side apart at its plus and minus signs."""
        intercept, terms, bars, offsets = True, _Terms(), list[Bar](), list[Call]()
        bracket: Bracket | None = None
        for sign, item in node.items if isinstance(node, Sum) else ((1, node),):
            if isinstance(item, Bar):
                if sign < 0:
                    raise self.error(item, "a random-effects term cannot be subtracted")
                bars.append(item)
            elif isinstance(item, Bracket):
                if sign < 0 or bracket is not None:
                    raise self.error(item, "instruments stand in one bracket, which cannot be subtracted")
                bracket = item
            elif isinstance(item, Call) and item.function == "offset":
                check_placed(item, self.text)
                if sign < 0 or item in offsets:
                    raise self.error(item, "an offset cannot be subtracted or stand here twice")
                offsets.append(item)
            elif isinstance(item, Number):
                if item.value not in (0, 1):
                    raise self.error(
                        item, "outside I() only the numbers 0 and 1 mean something (the intercept)"
                    )
                intercept = (item.value == 1) == (sign > 0)
            else:
                self.combine(terms, self.expand(item), sign, item)
        return _Side(intercept, tuple(sorted(terms.values(), key=len)), bars, offsets, bracket)

    def expand(self, node: Node) -> _Terms:
        """The set of terms that a node stands for."""
        match node:
            case Name() | Call():
                check_factor(node, self.text)
                return {frozenset([node]): (node,)}
            case Sum():
                terms: _Terms = {}
                for sign, item in node.items:
                    self.combine(terms, self.expand(item), sign, item)
                return terms
            case Interaction():
                return self.chain([self.expand(item) for item in node.items], node)
            case Product():
                return self.product(node)
            case Power():
                return self.power(node)
            case Bar():
                raise self.error(node, "a random-effects term must stand alone between plus signs")
            case Bracket():
                raise self.error(node, "instruments in square brackets must stand alone between plus signs")
            case Number():
                raise self.error(
                    node,
                    "a number cannot stand here: 0 and 1 stand outside parentheses, arithmetic inside I()",
                )
            case _:
                raise self.error(
                    node, "a quoted text cannot stand here; put column names in backticks: `my column`"
                )

    def product(self, node: Product) -> _Terms:
        """`a * b` = a + b + a:b; `a / b` = a + a:b."""
        left = self.expand(node.first)
        for operator, item in node.rest:
            right = self.expand(item)
            if operator == "*":
                joined = self.cross(left, right, item)
                self.combine(left, right, 1, item)
            else:
                whole = self.chain([{frozenset(t): t} for t in left.values()], item)
                joined = self.cross(whole, right, item)
            self.combine(left, joined, 1, item)
        return left

    def power(self, node: Power) -> _Terms:
        """`(a + b)^n`: all interactions up to degree n."""
        exponent = node.exponent
        if not isinstance(exponent, Number) or exponent.value not in range(1, MAX_POWER + 1):
            raise self.error(exponent, f"outside I() a power is a whole number from 1 to {MAX_POWER}")
        base = self.expand(node.base)
        terms = dict(base)
        for _ in range(int(exponent.value) - 1):
            before = len(terms)
            self.combine(terms, self.cross(terms, base, node), 1, node)
            if len(terms) == before:
                break
        return terms

    def chain(self, parts: list[_Terms], node: Node) -> _Terms:
        """Interaction of all parts, from left to right."""
        terms = parts[0]
        for part in parts[1:]:
            terms = self.cross(terms, part, node)
        return terms

    def cross(self, left: _Terms, right: _Terms, node: Node) -> _Terms:
        """Every term of `left` interacted with every term of `right`."""
        self.work += len(left) * len(right)
        if self.work > MAX_WORK:
            raise self.error(node, "the formula stands for too many combinations of terms")
        terms: _Terms = {}
        for a in left.values():
            for b in right.values():
                term = tuple(dict.fromkeys((*a, *b)))
                self.combine(terms, {frozenset(term): term}, 1, node)
        return terms

    def combine(self, terms: _Terms, other: _Terms, sign: int, node: Node) -> None:
        """Add `other` to `terms`, or take it away, in place."""
        for key, term in other.items():
            if sign > 0:
                terms.setdefault(key, term)
            elif terms.pop(key, None) is None:
                raise self.error(node, f"{term_label(term)} is taken away but was not there before")
        if len(terms) > MAX_TERMS:
            raise self.error(node, f"the formula has more than {MAX_TERMS} terms")

    def instruments(self, bracket: Bracket, terms: tuple[Term, ...]) -> InstrumentTerms:
        """Both sides of a bracket; neither shares a term with the exogenous part."""
        exogenous = {frozenset(term) for term in terms}
        sides = []
        for node, what in ((bracket.endogenous, "endogenous"), (bracket.excluded, "an instrument")):
            made = self.expand(node)
            for key, term in made.items():
                if key in exogenous:
                    raise self.error(
                        node, f"{term_label(term)} is {what} and stands outside the bracket too; keep one"
                    )
            if not made:
                raise self.error(node, "no term is left on this side of the bracket")
            sides.append(tuple(sorted(made.values(), key=len)))
        return InstrumentTerms(*sides)

    def random(self, bar: Bar) -> list[RandomTerm]:
        """One random term for each grouping that the right of the bar stands for."""
        side = self.top(bar.effects)
        if side.bars:
            raise self.error(side.bars[0], "random-effects terms cannot be nested in each other")
        if side.bracket:
            raise self.error(side.bracket, "instruments stand outside random-effects terms")
        if side.offsets:
            raise self.error(side.offsets[0], "an offset is the same for every group and stands outside")
        if not side.intercept and not side.terms:
            raise self.error(bar, "no effect stands before the bar; write (1 | group)")
        groups = self.expand(bar.group).values()
        for group in groups:
            for factor in group:
                if not isinstance(factor, Name):
                    raise self.error(factor, "a grouping is a column, a/b or a:b")
        names = [tuple(f.name for f in group if isinstance(f, Name)) for group in groups]
        made = [RandomTerm(side.intercept, side.terms, group, bar.correlated) for group in names]
        for term in made:
            self.check_once(term, bar)
        return made

    def check_once(self, term: RandomTerm, bar: Bar) -> None:
        """An effect varies by a grouping in one term only: the variances of two cannot be told apart."""
        if self.labels.setdefault(term.label, term.group) != term.group:
            raise self.error(bar, f"{term.label} is a column and a combination of columns; rename the column")
        for effect in [*([()] if term.intercept else []), *term.terms]:
            key = frozenset(term.group), frozenset(effect)
            if key in self.varying:
                what = f"the effect of {term_label(effect)}" if effect else "the intercept"
                raise self.error(
                    bar, f"{what} varies by {term.label} in two random terms; leave it out of one of them"
                )
            self.varying.add(key)

    def check_outcome(self, node: Node) -> None:
        """The left side is one column, `log()`, `I()` or `cbind()`."""
        if isinstance(node, Call) and node.function == "cbind":
            check_placed(node, self.text)
            return
        if not isinstance(node, Name) and not (isinstance(node, Call) and node.function in ("I", "log")):
            raise self.error(
                node,
                "the outcome is one column, log(column), I(arithmetic) or cbind(successes, failures)",
            )
        check_factor(node, self.text)

    def check_apart(self, left: Node, right: Node) -> None:
        """No column stands on both sides; the number of trials in `cbind(s, trials - s)` may."""
        counts = left.arguments if isinstance(left, Call) and left.function == "cbind" else (left,)
        alone = (counts[0], *(node for node in counts[1:] if isinstance(node, Name)))
        outcome = {name.name for node in alone for name in columns_of(node)}
        for name in columns_of(right):
            if name.name in outcome:
                raise self.error(
                    name, f"{render(name)} is part of the outcome and stands on the right side too"
                )

    def error(self, node: Node, reason: str) -> FormulaError:
        """What is wrong, with the place of the node."""
        return complaint(self.text, node.at, reason)
