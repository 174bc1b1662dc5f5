"""docs/quantization.md: its script runs, and its tables are what the code gives."""

import re
from pathlib import Path

import pytest
import torch

from whit.models.quantizers.code_range import code_range
from whit.models.quantizers.companding import MU_BY_BITS, compand, expand, midpoints

PAGE = Path(__file__).parents[2] / "docs" / "quantization.md"


def test_the_page_ends_in_a_script_that_runs(capsys):
    script = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[-1]
    exec(compile(script, str(PAGE), "exec"), {})
    assert "codebook [[" in capsys.readouterr().out


def table_row(label: str) -> list[str]:
    (line,) = re.findall(
        rf"^\| {re.escape(label)} \|(.*)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return [cell.strip(" *") for cell in line.split("|")]


def test_the_table_of_mu_is_the_one_in_use():
    assert [float(cell) for cell in table_row("**mu**")] == [MU_BY_BITS[bits] for bits in range(2, 7)]


def even_sqnr_db(x: torch.Tensor, bits: int, mu: float) -> float:
    """Returns the SQNR of rounded evenly spaced centroids at the best of many row scales."""
    unit = code_range(bits).unit
    codes = (expand(torch.linspace(-1, 1, 1 << bits, dtype=torch.float64), mu) * unit).round()
    cuts = midpoints(compand(codes / unit, mu), mu)

    def sqnr_db(reach: float) -> float:
        error = x - codes[torch.searchsorted(cuts, x / reach)] / unit * reach
        return float(10 * torch.log10(x.square().mean() / error.square().mean()))

    coarse = max((0.4 * i for i in range(3, 20)), key=sqnr_db)
    return max(sqnr_db(coarse + 0.1 * i) for i in range(-3, 4))


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("distribution", ["Gaussian", "Laplacian"])
def test_the_fit_of_even_centroids_is_as_the_table_says(distribution, column):
    # Quantiles stand for the distribution, so no chance is in play.
    share = (torch.arange(20001, dtype=torch.float64) + 0.5) / 20001
    if distribution == "Gaussian":
        x = torch.special.ndtri(share)
    else:
        x = torch.distributions.Laplace(torch.tensor(0.0, dtype=torch.float64), 0.5**0.5).icdf(share)
    here, best = re.match(
        r"([\d.]+) \(([\d.]+)\)", table_row(f"{distribution}: here (best)")[column]
    ).groups()
    # The table's last digit, and the grid of row scales.
    found = even_sqnr_db(x, column + 2, MU_BY_BITS[column + 2])
    assert found == pytest.approx(float(here), abs=0.02)
    others = [even_sqnr_db(x, column + 2, mu) for mu in (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)]
    assert max(others) == pytest.approx(float(best), abs=0.02)


@pytest.mark.parametrize("column", range(5))
def test_the_greatest_mu_that_keeps_neighbours_apart(column):
    bits, limit = column + 2, float(table_row("mu must stay below")[column])
    spread = torch.linspace(-1, 1, 1 << bits, dtype=torch.float64)

    def distinct(mu: float) -> bool:
        return len((expand(spread, mu) * code_range(bits).unit).round().unique()) == 1 << bits

    assert MU_BY_BITS[bits] < limit
    assert distinct(limit) and not distinct(limit * 1.03)
