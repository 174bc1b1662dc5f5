"""Documents are true: paths, commands and options exist, recipes are read, programs compile and run."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
from programs import needs
from tracked_files import ROOT, tracked

from whit.exporter.export import ExportRequest, run_export
from whit.models.recipe import read_recipe
from whit.runtime import cli

DOCUMENTS = [str(path.relative_to(ROOT)) for path in tracked("*.md")]
GROUP: Any = typer.main.get_command(cli.app)
COMMAND = re.compile(r"\bwhit ([a-z]+(?:-[a-z]+)*)((?: (?!whit )[^\s`|;&]+)*)")
C_PROGRAM = """#include <stdio.h>
#include "whit.h"
extern int read_audio(float* samples, int32_t* num_samples);
int main(void) {{
  static float samples[160];
  int32_t num_samples;
{streaming}
  return 0;
}}
extern void show(const char* text, size_t num_committed);
void dictate(whit_stream* stream) {{
  whit_result result;
{dictation}
}}
int transcribe(const whit_model* model) {{
  static float samples[160];
  int32_t num_samples;
  whit_result result;
{offline}
  return 0;
}}
"""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_documents_exist(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), f"{document} links to {target}"


def commands_in(page: str, word: str) -> set[str]:
    """Returns X of every `word X` that stands in code in a Markdown page: fenced, quoted or indented."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`|^ {4,}[^\n]*$", page, re.DOTALL | re.MULTILINE))
    return set(re.findall(rf"(?:(?:^|[`\n;&|])\s*|\bdo ){word} ([a-z][a-z-]*)", code))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_documents_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = set(project["entry-points"]["whit.commands"]) | set(cli.COMMANDS)
    page = (ROOT / document).read_text()
    assert commands_in(page, "make") <= targets
    assert commands_in(page, "whit") <= known


def test_a_command_that_does_not_exist_would_be_found() -> None:
    page = "whit X\n\n    for x in *; do whit trian $x; done\n\n`whit export A`\n\n```\nwhit evla B\n```\n"
    assert commands_in(page, "whit") == {"trian", "export", "evla"}
    assert commands_in("    make everything # now", "make") == {"everything"}


def blocks(document: str, language: str) -> list[str]:
    """Returns the fenced code of one language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


def options(command: str) -> set[str]:
    """Returns the options of a command of `whit`."""
    _, found, _ = GROUP.resolve_command(typer.Context(GROUP), [command])
    return {"--help", *(option for parameter in found.params for option in parameter.opts)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_options_exist(document: str) -> None:
    for name, arguments in COMMAND.findall((ROOT / document).read_text()):
        if name in GROUP.list_commands(None):
            given = set(re.findall(r" (-[a-z]|--[a-z-]+)(?=[ =]|$)", arguments))
            assert given <= options(name), f"whit {name}{arguments}"


def test_an_option_that_does_not_exist_would_be_found() -> None:
    assert "--gate" in options("export")
    assert "--gates" not in options("export")
    assert COMMAND.findall("`whit export X --gates wer=M` or whit eval Y -q 1") == [
        ("export", " X --gates wer=M"),
        ("eval", " Y -q 1"),
    ]
    assert COMMAND.findall("whit device-bench X --devices adb") == [("device-bench", " X --devices adb")]
    assert "--device" in options("device-bench")


def test_recipes_of_the_training_page_are_read(tmp_path: Path) -> None:
    recipes = shutil.copytree(ROOT / "models" / "recipes", tmp_path / "recipes")
    texts = blocks("docs/training.md", "toml")
    assert len(texts) == 4
    for text in texts:
        name = re.findall(r"# models/recipes/(\S+\.toml)", text)[0]
        (recipes / name).write_text(text)
        assert read_recipe(recipes / name).name == name.removesuffix(".toml")


def test_python_of_the_readme_runs(tmp_path: Path) -> None:
    """Its models are exported here: the streaming one as the page says, the other one float, not integer."""
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    for checkpoint, folder in (("rnnt-digits-gq", "gq"), ("quartznet-digits", "quartznet")):
        run_export(
            ExportRequest(
                checkpoint=ROOT / "checkpoints" / checkpoint,
                output=tmp_path / "out" / folder,
                dialect="stock" if folder == "quartznet" else "all",
            ),
            progress=lambda _: None,
        )
    streaming, offline = blocks("README.md", "python")
    offline = offline.replace('"out/quartznet"', '"out/quartznet/stock-float"')
    spoken = next(
        line for line in (ROOT / "demo" / "digits.jsonl").read_text().splitlines() if "digits-1" in line
    )
    for program in (streaming, offline):
        printed = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        text = re.split(r" \(|\n", printed)[0]
        assert text.split()
        assert f'"{text}"' in spoken


def test_the_program_of_the_c_header_compiles(tmp_path: Path) -> None:
    compiler = needs("gcc")
    header = ROOT / "runtime" / "cpp" / "include" / "whit.h"
    comment = header.read_text().split("*/")[0]
    examples = re.findall(r"(?:^ \*     .*\n)+", comment, re.MULTILINE)
    streaming, dictation, offline = (re.sub(r"^ \*", "", code, flags=re.MULTILINE) for code in examples)
    program = tmp_path / "program.c"
    offline = offline.replace("...", "return 2;")
    program.write_text(C_PROGRAM.format(streaming=streaming, dictation=dictation, offline=offline))
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{header.parent}"]
    subprocess.run([*command, str(program)], check=True)
