"""The table of `whit bench`: one column per model, one ratio per other model."""

import string
from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table

from whit.runtime.device_program import DeviceReport
from whit.runtime.latency_report import PARTS, Distribution, LatencyReport
from whit.runtime.memory import MemoryReport
from whit.runtime.utterance_bench import UtteranceReport

ABSENT = "n/a"
LETTERS = string.ascii_uppercase  # columns: A is the model, the others what it is held against


def memory_table(reports: Sequence[MemoryReport], first_result_ms: Sequence[float]) -> Table:
    """Returns memory in MiB and KiB; ratios are the first model's figure over the other's.

    Args:
        reports: one per model.
        first_result_ms: median load time of each.
    """
    table = _table("memory", len(reports))
    _add_sizes(
        table,
        reports,
        (
            ("file size, MiB", 1 << 20, "file_size"),
            ("resident weights (mapped), MiB", 1 << 20, "resident_weights"),
            ("private dirty of the model, loaded, MiB", 1 << 20, "private_dirty_model_loaded"),
            ("private dirty of the model, MiB", 1 << 20, "private_dirty_model"),
            ("private dirty beyond a bare Python, MiB", 1 << 20, "private_dirty_added"),
            ("private dirty of the process, MiB", 1 << 20, "private_dirty_after_stream"),
            ("state per stream, KiB", 1 << 10, "model_state"),
            ("stream in all, KiB", 1 << 10, "stream_private"),
            ("scratch arena, MiB", 1 << 20, "scratch_arena"),
            ("RSS of the process, MiB", 1 << 20, "rss_after_stream"),
            ("PSS of the process, MiB", 1 << 20, "pss_after_stream"),
            ("peak RSS loading, MiB", 1 << 20, "peak_rss_loading"),
            ("peak RSS streaming, MiB", 1 << 20, "peak_rss_streaming"),
        ),
    )
    _add(table, "load to first result, ms", list(first_result_ms))
    return table


def device_table(
    reports: Sequence[DeviceReport | None],
    first_result_ms: Sequence[float | None],
    *,
    title: str = "whit-cli alone",
) -> Table:
    """Returns the same figures of whit-cli; None stands for a model that it does not run."""
    table = _table(title, len(reports))
    _add_sizes(
        table,
        reports,
        (
            ("file size, MiB", 1 << 20, "file_size"),
            ("private dirty, loaded, MiB", 1 << 20, "private_dirty_after_load"),
            ("private dirty, MiB", 1 << 20, "private_dirty_after_stream"),
            ("state per stream, KiB", 1 << 10, "model_state"),
            ("scratch arena, MiB", 1 << 20, "scratch_arena"),
            ("RSS, MiB", 1 << 20, "rss_after_stream"),
            ("PSS, MiB", 1 << 20, "pss_after_stream"),
            ("peak RSS, MiB", 1 << 20, "peak_rss"),
            ("peak RSS beyond the file, MiB", 1 << 20, "peak_rss_beyond_file"),
        ),
    )
    _add(table, "load to first result, ms", list(first_result_ms))
    return table


def _add_sizes(table: Table, reports: Sequence[object], rows: Sequence[tuple[str, int, str]]) -> None:
    """Adds a row for each label, unit in bytes and field; a report of None has no figures."""
    for label, unit_bytes, field in rows:
        values = [getattr(report, field, None) for report in reports]
        _add(table, label, [None if value is None else value / unit_bytes for value in values])


def latency_table(reports: Sequence[LatencyReport], *, label: str) -> Table:
    """Returns latency in milliseconds; ratios are the first model's figure over the other's."""
    table = _table(f"latency ({label})", len(reports))
    for name, distributions in _distributions(reports):
        _add(table, f"{name}, ms: p50 p90 p99", *zip(*map(_percentiles, distributions), strict=True))
        if name == "UPL":
            for part in PARTS:
                _add(table, f"  of it {part}, mean ms", [report.parts_ms[part].mean for report in reports])
            _add(table, "  their sum, mean ms", [report.upl_ms.mean for report in reports])
    shares = [f"{report.num_matched_words} of {report.num_reference_words}" for report in reports]
    table.add_row("words matched", *shares)
    ended = [f"{report.num_partial_before_end} of {report.num_recordings}" for report in reports]
    table.add_row("first partial before audio end", *ended)
    table.add_row("early endpoints", *(str(report.num_early_endpoints) for report in reports))
    table.add_row("deadline misses", *(str(report.num_deadline_misses) for report in reports))
    _add(table, "real-time factor", [report.real_time_factor for report in reports])
    _add_paired_ratio(table, [report.utterance_rtf for report in reports])
    return table


def utterance_table(reports: Sequence[UtteranceReport]) -> Table:
    """Returns the times of models of whole utterances, with ratios as in the other tables."""
    table = _table("whole utterances", len(reports))
    percentiles = [_percentiles(report.finalization_ms) for report in reports]
    _add(table, "finalization, ms: p50 p90 p99", *zip(*percentiles, strict=True))
    _add(table, "real-time factor", [report.real_time_factor for report in reports])
    _add_paired_ratio(table, [report.utterance_rtf for report in reports])
    table.add_row("utterances", *(str(report.num_recordings) for report in reports))
    return table


def _add_paired_ratio(table: Table, utterance_rtf: Sequence[Sequence[float]]) -> None:
    """Adds the median over recordings of the first model's time over each other's."""
    ratios = [f"{np.median(np.divide(utterance_rtf[0], other)):.3f}" for other in utterance_rtf[1:]]
    if ratios:
        table.add_row("  paired ratio, median", *([""] * len(utterance_rtf)), *ratios)


def summary(report: LatencyReport) -> str:
    """Returns the figures of one model in a sentence."""
    share = 100 * report.num_partial_before_end / report.num_recordings
    delay = ABSENT if report.upl_ms.p50 is None else f"{report.upl_ms.p50:.0f} ms"
    return (
        f"first partial before the audio ended on {share:.1f} % of {report.num_recordings} recordings, "
        f"median stable-word delay {delay} ({report.upl_ms.count} words)"
    )


def _distributions(reports: Sequence[LatencyReport]) -> Iterator[tuple[str, list[Distribution]]]:
    for name, field in (
        ("UPL", "upl_ms"),
        ("first UPL", "first_upl_ms"),
        ("chunk compute", "chunk_compute_ms"),
        ("first partial", "first_partial_ms"),
        ("partial", "partial_ms"),
        ("finalization", "finalization_ms"),
        ("flush", "flush_ms"),
        ("endpoint", "endpoint_ms"),
    ):
        yield name, [getattr(report, field) for report in reports]


def _percentiles(distribution: Distribution) -> tuple[float | None, ...]:
    return distribution.p50, distribution.p90, distribution.p99


def _table(title: str, num_models: int) -> Table:
    names = LETTERS[:num_models]
    table = Table()
    table.add_column(title, no_wrap=True)
    for header in (*names, *(f"{names[0]} / {name}" for name in names[1:])):
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _add(table: Table, label: str, *figures: Sequence[float | None]) -> None:
    """Adds a row; each figure holds one value per model, and figures share a cell."""
    cells = [" ".join(_text(value) for value in values) for values in zip(*figures, strict=True)]
    for other in range(1, len(cells)):
        cells.append(" ".join(_ratio(values[0], values[other]) for values in figures))
    table.add_row(label, *cells)


def _text(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(first: float | None, other: float | None) -> str:
    if first is None or other is None or first < 0 or other <= 0:
        return ABSENT  # a word may be shown before it ends: a negative time has no ratio
    return f"{first / other:.2f}"
