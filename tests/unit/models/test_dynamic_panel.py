"""fit_dynamic_panel: lags by the calendar, what it refuses, what it says, and what must not matter."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.models.dynamic_panel import fit_dynamic_panel
from jobchance.models.dynamic_panel_terms import read_lags

AXES = {"entity": "i", "time": "t"}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n, periods = 150, 6
    level = rng.normal(size=n)
    y, x, rows = level + rng.normal(size=n), rng.normal(size=n), []
    sex = rng.integers(0, 2, size=n)
    for t in range(periods):
        x = 0.4 * x + 0.3 * y + rng.normal(size=n)
        y = 0.5 * y + 0.4 * x + level + rng.normal(size=n)
        rows.append(pd.DataFrame({"i": np.arange(n), "t": t + 1, "y": y, "x": x, "sex": sex}))
    made = pd.concat(rows, ignore_index=True)
    made["wage"] = np.exp(made["x"])
    made["area"] = np.array(["north", "south", "west"])[rng.integers(0, 3, size=len(made))]
    return made


def fit(data, formula="y ~ x", **options):
    return fit_dynamic_panel(formula, data, **(AXES | options))


class TestInvariance:
    @pytest.mark.parametrize("transformation", ["difference", "system", "orthogonal_deviations"])
    def test_order_names_and_origin_do_not_matter(self, data, transformation):
        holed = data[(data["i"] * 5 + data["t"]) % 11 != 0]
        other = holed.sample(frac=1, random_state=3).assign(
            i=lambda d: "id" + (997 - d["i"]).astype(str), t=lambda d: d["t"] + 2010
        )
        a, b = (
            fit(d, endogenous=("x",), transformation=transformation, collapse=True) for d in (holed, other)
        )
        np.testing.assert_allclose(a.estimates, b.estimates, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-8, atol=1e-12)
        for name in ("m1", "m2", "hansen", "sargan"):
            assert a.statistics[name] == pytest.approx(b.statistics[name], rel=1e-8)

    def test_units_rescale_the_coefficients(self, data):
        a = fit(data, predetermined=("x",))
        b = fit(data.assign(x=1e5 * data["x"]), predetermined=("x",))
        assert b.params["x"] * 1e5 == pytest.approx(a.params["x"], rel=1e-8)
        assert b.std_errors["x"] * 1e5 == pytest.approx(a.std_errors["x"], rel=1e-8)
        assert b.statistics["hansen"] == pytest.approx(a.statistics["hansen"], rel=1e-8)

    def test_a_constant_per_entity_differences_out(self, data):
        a = fit(data)
        b = fit(data.assign(y=data["y"] + 100 * (data["i"] % 7)), instrument_lags=(2, None))
        # the outcome's level is an instrument, so only the exactly identified estimator stays the same
        assert a.nobs == b.nobs
        exact = {"instrument_lags": (2, 2), "collapse": True}
        shift = fit(data.assign(y=data["y"] + 100), **exact)
        np.testing.assert_allclose(fit(data, **exact).params["x"], shift.params["x"], rtol=1e-8)


class TestCalendar:
    def test_a_gap_is_honoured(self, data):
        gone = data[~((data["i"] < 40) & (data["t"] == 4))]
        # Without period 4 the rows at 4 and 5 have no lag, and that at 6 no complete row before.
        assert fit(data).nobs == 150 * 4
        assert fit(gone).nobs == 150 * 4 - 40 * 3
        assert fit(gone, transformation="orthogonal_deviations").nobs == 110 * 4 + 40 * 2

    def test_every_second_period_has_no_lag(self, data):
        with pytest.raises(DesignError, match=r"lag\(y, 1\) cannot be observed"):
            fit(data.assign(t=2 * data["t"]))

    def test_ranked_periods_are_said(self, data):
        named = data.assign(t=data["t"].map(lambda t: f"wave {t}"))
        ranked, plain = fit(named), fit(data)
        np.testing.assert_allclose(ranked.estimates, plain.estimates)
        assert any("ranked" in remark for remark in ranked.remarks)
        assert "t[wave 4]" in ranked.terms

    def test_lags_by_hand(self, data):
        byhand = data.sort_values(["i", "t"])
        byhand["x_before"] = byhand.groupby("i")["x"].shift(1)
        a = fit(data, "y ~ x + lag(x)")
        b = fit(byhand, "y ~ x + x_before")
        np.testing.assert_allclose(a.params["lag(x, 1)"], b.params["x_before"], rtol=1e-10)
        np.testing.assert_allclose(a.std_errors["lag(x, 1)"], b.std_errors["x_before"], rtol=1e-10)

    def test_whole_numbers_as_objects_keep_their_gaps(self, data):
        gone = data[~((data["i"] < 40) & (data["t"] == 4))]
        assert fit(gone.assign(t=gone["t"].astype(object))).nobs == fit(gone).nobs

    def test_a_true_or_false_outcome(self, data):
        a = fit(data.assign(y=data["y"] > 0))
        b = fit(data.assign(y=(data["y"] > 0).astype(float)))
        assert a.terms == b.terms
        np.testing.assert_allclose(a.estimates, b.estimates, rtol=1e-12)

    def test_lag_of_a_category(self, data):
        made = fit(data, "y ~ x + lag(area)")
        assert {"lag(area, 1)[south]", "lag(area, 1)[west]"} <= set(made.terms)

    def test_rows_with_the_covariate_missing_still_give_instruments(self, data):
        holed = data.assign(x=data["x"].where(data["t"] > 2))
        made = fit(holed)
        # rows at 3 to 6 are complete, so differences are 4 to 6, instrumented by y of period 1 as well
        assert made.nobs == 150 * 3
        assert made.diagnostics["instruments"].set_index("group").loc["lags of y", "instruments"] == 2 + 3 + 4


class TestFormula:
    def test_ranges_are_spelled_out(self):
        made = read_lags("log(y) ~ lag(log(wage), 0:2) * sex", lags=2)
        assert [t.column for t in made.terms] == [
            "lag(log(y), 1)",
            "lag(log(y), 2)",
            "lag(log(wage), 1)",
            "lag(log(wage), 2)",
        ]
        assert "(log(wage) + `lag(log(wage), 1)` + `lag(log(wage), 2)`) * sex" in made.text

    @pytest.mark.parametrize(
        ("formula", "says"),
        [
            ("y ~ lag(x, -1)", "whole number"),
            ("y ~ lag(x, 1.5)", "whole number"),
            ("y ~ lag(x, 99)", "whole number"),
            ("y ~ lag(x, 2:1)", "first lag is above"),
            ("y ~ lag(lag(x))", "cannot be nested"),
            ("y ~ lag()", "needs a column"),
            ("y ~ lag(x", "not closed"),
            ("y ~ lag", "lag"),
            ("y ~ lag(x + wage)", "takes a column"),
            ("y ~ lag(C(area))", "takes a column"),
            ("lag(y) ~ x", "left side"),
            ("y ~ lag(y, 2)", "lags="),
            ("~ x", "no outcome"),
            ("cbind(y, x) ~ 1", "one numeric outcome"),
            ("y ~ nothing", "nothing"),
            ("y ~ lag(nothing)", "nothing"),
        ],
    )
    def test_what_cannot_be_read(self, data, formula, says):
        with pytest.raises(FormulaError, match=says):
            fit(data, formula)

    def test_a_column_named_lag_in_backticks(self, data):
        made = fit(data.rename(columns={"x": "lag"}), "y ~ `lag` + lag(`lag`)")
        assert "lag(lag, 1)" in made.terms


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"transformation": "levels"},
            {"steps": "three"},
            {"steps": 2},
            {"vcov": "HC1"},
            {"vcov": jc.Cluster("i")},
            {"lags": 0},
            {"lags": True},
            {"lags": 1.5},
            {"instrument_lags": (0, 2)},
            {"instrument_lags": (3, 2)},
            {"instrument_lags": 2},
            {"instrument_lags": (2, 3, 4)},
            {"instrument_lags": {"x": (2, 3)}},
            {"predetermined": "x"},
            {"predetermined": ("wage",)},
            {"predetermined": ("C(x)",)},
            {"predetermined": ("x",), "endogenous": ("x",)},
            {"endogenous": ("y",)},
            {"endogenous": ("lag(x)",)},
        ],
    )
    def test_unknown_options_are_refused(self, data, options):
        with pytest.raises(SpecError):
            fit(data, **options)

    @pytest.mark.parametrize("formula", ["y ~ x + x:sex", "y ~ x + I(x ** 2)", "y ~ x + poly(x, 2)"])
    def test_a_hidden_predetermined_term_is_named(self, data, formula):
        with pytest.raises(SpecError, match="Name it as well"):
            fit(data, formula, predetermined=("x",))

    def test_all_lags_of_a_named_variable_are_instrumented(self, data):
        made = fit(data, "y ~ lag(log(wage), 0:1)", endogenous=("log(wage)",), collapse=True)
        groups = made.diagnostics["instruments"].set_index("group")["instruments"]
        assert "exogenous" not in groups.index
        assert groups["lags of log(wage)"] == 4

    def test_windows_of_lags(self, data):
        made = fit(data, instrument_lags=(2, 2))
        assert made.diagnostics["instruments"].set_index("group").loc["lags of y", "instruments"] == 4
        wide = fit(data, predetermined=("x",), instrument_lags={"y": (2, 3)})
        groups = wide.diagnostics["instruments"].set_index("group")["instruments"]
        assert groups["lags of y"] == 1 + 2 * 3
        assert groups["lags of x"] == 2 + 3 + 4 + 5


class TestRefusals:
    def test_two_periods(self, data):
        with pytest.raises(DesignError, match="2 periods"):
            fit(data[data["t"] < 3])

    def test_one_entity_and_two_periods_are_said_at_once(self, data):
        with pytest.raises(DesignError, match=r"(?s)2 periods.*1 level"):
            fit(data[(data["t"] < 3) & (data["i"] == 0)])

    def test_duplicates(self, data):
        with pytest.raises(DesignError, match="share i and t") as caught:
            fit(pd.concat([data, data.iloc[:3]]))
        assert "6 of 903" in str(caught.value)

    def test_dates_as_numbers(self, data):
        with pytest.raises(DesignError, match="count periods"):
            fit(data.assign(t=data["t"] * 10_000_000))

    def test_fractions_of_periods(self, data):
        with pytest.raises(DesignError, match="whole numbers"):
            fit(data.assign(t=data["t"] / 2))

    def test_absent_columns(self, data):
        with pytest.raises(FormulaError, match="person"):
            fit(data, entity="person")

    def test_random_effects(self, data):
        with pytest.raises(DesignError, match="random-effects"):
            fit(data, "y ~ x + (1 | i)")

    def test_a_constant_outcome(self, data):
        with pytest.raises(DesignError, match=r"lag\(y, 1\) is constant"):
            fit(data.assign(y=1.0))

    def test_a_covariate_twice(self, data):
        assert fit(data.assign(again=data["x"]), "y ~ x + again").sample.dropped_terms == (
            "again (collinear)",
        )

    def test_too_few_instruments(self, data):
        with pytest.raises(DesignError, match="2 instruments for 3 coefficients"):
            fit(
                data,
                lags=2,
                endogenous=("x",),
                instrument_lags={"y": (5, 5), "x": (5, 5)},
                collapse=True,
                time_effects=False,
            )

    def test_no_values_in_messages(self, data):
        secret = data.assign(i=data["i"].map(lambda i: f"secret{i}"))
        with pytest.raises(DesignError) as caught:
            fit(pd.concat([secret, secret]))
        assert "secret" not in str(caught.value)

    def test_rows_without_entity_or_period_are_counted(self, data):
        holed = data.astype({"i": float, "t": float})
        holed.loc[0, "i"] = np.nan
        holed.loc[[5, 6], "t"] = np.nan
        dropped = fit(holed).sample.dropped
        assert dropped["i is missing"] == 1
        assert dropped["t is missing"] == 2


class TestWhatIsSaid:
    def test_covariates_that_difference_out(self, data):
        made = fit(data, "y ~ x + sex")
        assert made.sample.dropped_terms == ("sex (does not vary within the entity)",)
        trend = fit(data.assign(age=data["t"] + data["i"] % 40), "y ~ x + age")
        assert trend.sample.dropped_terms == ("age (collinear)",)

    def test_a_system_keeps_what_differences_out(self, data):
        made = fit(data, "y ~ x + sex", transformation="system", collapse=True)
        assert {"sex", "(Intercept)"} <= set(made.terms)
        assert made.statistics["n_level_rows"] == 150 * 5
        assert made.nobs == 150 * 5 + 150 * 4

    def test_more_instruments_than_entities(self, data):
        few = data[data["i"] < 14]
        made = fit(few, predetermined=("x",))
        assert any("more instruments than units" in remark for remark in made.remarks)
        assert any("generalised inverse" in remark for remark in made.remarks)
        assert np.isfinite(made.std_errors).all()

    def test_exactly_identified(self, data):
        made = fit(data, instrument_lags=(2, 2), collapse=True, time_effects=False)
        assert np.isnan(made.statistics["hansen_p"])
        one = fit(data, instrument_lags=(2, 2), collapse=True, time_effects=False, steps="one")
        np.testing.assert_allclose(made.estimates, one.estimates, rtol=1e-9)

    def test_three_periods_leave_one_difference(self, data):
        made = fit(data[data["t"] <= 3])
        assert made.nobs == 150
        assert np.isnan(made.statistics["m1"])
        assert np.isnan(made.statistics["m2_p"])

    def test_conventional_two_step_warns(self, data):
        assert "too small" in fit(data, vcov="model").notes[0]

    def test_one_step_windmeijer_is_robust(self, data):
        a, b = fit(data, steps="one"), fit(data, steps="one", vcov="robust")
        np.testing.assert_array_equal(a.covariance, b.covariance)

    def test_it_is_stored_and_printed(self, data):
        made = fit(data, transformation="system", endogenous=("x",))
        again = jc.Fit.from_dict(made.to_dict())
        assert again.summary() == made.summary()
        assert "Blundell-Bond" in made.summary()
        pd.testing.assert_frame_equal(again.diagnostics["tests"], made.diagnostics["tests"])
        assert made.glance().shape[0] == 1
        assert set(made.tidy()["term"]) >= {"lag(y, 1)", "x"}
        with pytest.raises(SpecError):
            made.augment()

    def test_the_data_are_left_alone(self, data):
        before = data.copy()
        fit(data, "y ~ lag(x, 0:1)")
        pd.testing.assert_frame_equal(data, before)

    def test_an_index_with_doubles(self, data):
        odd = data.set_axis(np.zeros(len(data), dtype=int))
        np.testing.assert_allclose(fit(odd, "y ~ lag(x)").estimates, fit(data, "y ~ lag(x)").estimates)
