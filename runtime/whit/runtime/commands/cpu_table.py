"""The report of `whit inspect --cpu` as tables or JSON."""

from dataclasses import asdict

from rich.table import Table

from whit.runtime.cpu_report import CpuReport
from whit.runtime.plain_console import plain_console
from whit.runtime.print_json import print_json


def print_cpu(report: CpuReport, *, json: bool) -> None:
    """Prints what was chosen and why."""
    if json:
        print_json(asdict(report))
        return
    console = plain_console()
    if not console.is_terminal:
        console.width = 120  # a file has no margin to keep
    console.print(f"instruction set: {report.chosen} ({report.reason})", soft_wrap=True)
    sets = Table("instruction set", "here")
    for isa in report.instruction_sets:
        here = "chosen" if isa.chosen else "available"
        sets.add_row(isa.name, here if isa.available else f"lacks {', '.join(isa.missing)}")
    console.print(sets)
    kernels = Table("layout", "bits", "kernel", "rows at once")
    for choice in report.kernels:
        kernels.add_row(choice.layout, str(choice.bits), choice.kernel, str(choice.rows))
    console.print(kernels)
    console.print(f"found and used: {', '.join(report.found) or 'nothing'}", soft_wrap=True)
    if report.unused:
        console.print(f"found, but no kernel uses it: {', '.join(report.unused)}", soft_wrap=True)
