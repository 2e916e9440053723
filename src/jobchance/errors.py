"""The error tree: what a user can mend (`UserError`) apart from what an estimator could not do.

No message may hold a person's value or an identifier: column names and counts only, since logs leave
the secure server.
"""

from __future__ import annotations


class JobchanceError(Exception):
    """Base class of every error that this package raises on purpose."""


class UserError(JobchanceError):
    """Something the user can mend; the command line shows it without a traceback and exits with 2."""


class SchemaError(UserError):
    """A study folder or table breaks its schema or a named rule; carries every problem found.

    Parameters
    ----------
    message : str
        What is wrong, one line per failing rule, with counts and column names only.
    report : ValidationReport or None
        The same problems as a table, where they come from validation.
    """

    def __init__(self, message: str, report: object | None = None) -> None:
        super().__init__(message)
        self.report = report


class SpecError(UserError):
    """An argument, option or specification file asks for something that does not exist."""


class FormulaError(UserError):
    """A formula is outside the documented grammar or names absent columns."""


class DesignError(UserError):
    """The data cannot carry the model that was asked for (empty sample, one-level factor, ...)."""


class IdentificationError(UserError):
    """The design cannot identify the estimand that was asked for.

    Parameters
    ----------
    message : str
        What is missing and what would be needed, with counts.
    missing : tuple of str
        Stable keys of what is missing, such as `"clusters"`; an evidence ladder prints their texts.
    """

    def __init__(self, message: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class DisclosureError(UserError):
    """Disclosure control refuses an output; names the output and the rule, never a value."""


class EstimationError(JobchanceError):
    """An estimator failed numerically; the message says what to try."""
