"""`Multiverse`: every specification that was run as one row, and the questions that can be asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jobchance.compute.base import Compute
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.agreement import agreement
from jobchance.sensitivity.multiverse.importance import Importance, importance
from jobchance.sensitivity.multiverse.joint_result import JointTest
from jobchance.sensitivity.multiverse.joint_test import WITHIN, joint_test
from jobchance.sensitivity.multiverse.result_frame import COLUMNS, content_hash
from jobchance.sensitivity.multiverse.sample_differences import SampleDifferences, sample_differences
from jobchance.sensitivity.multiverse.summary import render

if TYPE_CHECKING:
    from jobchance.sensitivity.multiverse.expand import Expansion
    from jobchance.sensitivity.multiverse.read import MultiverseSpec
    from jobchance.sensitivity.multiverse.workbench import Workbench


@dataclass(frozen=True, eq=False, repr=False)
class Multiverse:
    """All specifications of one question with their results; made by `run_multiverse`.

    Parameters
    ----------
    frame : DataFrame
        One row per specification, in the order of the expansion, as `build_frame` makes it.
        Estimates are percentage points of the outcome per `unit`.
    spec : MultiverseSpec
        What was asked for.
    expansion : Expansion
        The specifications behind the rows.
    meta : mapping
        Where the numbers come from: study, panel, versions, seed.
    workbench : Workbench, optional
        The rows of the panels, for `joint_test` and `sample_differences`. It stays in memory: copies and
        pickles leave it behind.
    """

    frame: pd.DataFrame
    spec: MultiverseSpec
    expansion: Expansion
    meta: Mapping[str, object] = field(default_factory=dict)
    workbench: Workbench | None = None

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != COLUMNS:
            raise SpecError("The frame of a multiverse has other columns than build_frame gives it.")
        keys = [one.key for one in self.expansion.specifications]
        if list(self.frame["key"]) != keys:
            raise SpecError(
                f"The frame of the multiverse has {len(self.frame)} rows that do not stand for the "
                f"{len(keys)} specifications of the expansion in their order."
            )
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @property
    def hash(self) -> str:
        """SHA-256 of the frame's content: equal for equal results, wherever they were computed."""
        return content_hash(self.frame)

    @property
    def main(self) -> pd.Series | None:
        """Row of the main specification; `None` where the spec names none."""
        rows = self.frame[self.frame["main"]]
        return rows.iloc[0] if len(rows) else None

    def importance(self) -> Importance:
        """How much of the variance of the estimates each choice explains; see `importance.importance`."""
        return importance(self.frame)

    def agreement(self) -> pd.DataFrame:
        """Shares that agree in sign and significance with the main and the median one, by option."""
        return agreement(self.frame, level=self.spec.level)

    def joint_test(
        self,
        *,
        cluster: str | None = None,
        draws: int = 999,
        method: str = "sign_flip",
        within: Sequence[str] = WITHIN,
        seed: int | np.random.SeedSequence,
        compute: Compute | None = None,
    ) -> JointTest:
        """The whole curve against no association at all; see `joint_test.joint_test` for every option.

        Parameters
        ----------
        cluster : str, optional
            Common clusters; `None` is the spec's `joint_cluster`, or the coarsest that is used.

        Raises
        ------
        SpecError
            This multiverse holds no rows, or as in `joint_test.joint_test`.
        IdentificationError
            `method="permute"`: the exposure cannot change places within the cells.
        """
        return joint_test(
            self.frame,
            self.expansion.specifications,
            self.need_workbench("joint_test"),
            cluster=cluster or self.spec.joint_cluster or None,
            draws=draws,
            method=method,
            within=within,
            level=self.spec.level,
            seed=seed,
            compute=compute,
        )

    def sample_differences(self, policy: DisclosurePolicy) -> SampleDifferences:
        """Which specifications rest on nearly the same persons; see `sample_differences.sample_differences`.

        Raises
        ------
        SpecError
            This multiverse holds no rows.
        """
        workbench = self.need_workbench("sample_differences")
        return sample_differences(workbench, self.expansion.specifications, policy=policy)

    def summary(self) -> str:
        """The multiverse in words; the same text for the same frame."""
        title = str(getattr(self.spec, "title_en", "") or getattr(self.spec, "name", ""))
        return render(self.frame, title=title, level=self.spec.level)

    def __repr__(self) -> str:
        failed = int((self.frame["status"] == "failed").sum())
        return f"Multiverse({len(self.frame)} specifications, {failed} failed)"

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"workbench": None, "meta": dict(self.meta)}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def need_workbench(self, what: str) -> Workbench:
        """The rows behind the numbers.

        Raises
        ------
        SpecError
            This multiverse was read from disk or copied, so that it holds no rows.
        """
        if self.workbench is None:
            raise SpecError(
                f"{what} needs the rows behind the estimates, and this multiverse holds none: it was read "
                "from disk, copied or sent between processes. Ask the one that run_multiverse returned, or "
                "run it again with resume=True, which repeats nothing."
            )
        return self.workbench
