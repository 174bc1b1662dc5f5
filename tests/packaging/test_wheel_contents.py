"""A wheel holds the package and three libraries, says what it needs, and nothing of where it was built."""

import re
import tomllib
import zipfile
from email.parser import BytesParser
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

ROOT = Path(__file__).parents[2]
MAX_WHEEL_BYTES = 2_500_000  # docs/install.md states what it weighs
SUFFIXES = {".py", ".pyi", ".typed", ".so"}
ELF_MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
PROMISED = {
    "libc.so.6",
    "libm.so.6",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}


@pytest.fixture(params=["host", pytest.param("arm64", marks=pytest.mark.full)])
def wheel(request) -> Path:
    return request.getfixturevalue(f"{request.param}_wheel")


@pytest.fixture
def libraries(wheel) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".so")}


def metadata(wheel: Path, name: str) -> dict[str, list[str]]:
    """Returns the fields of METADATA or WHEEL."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        message = BytesParser().parsebytes(archive.read(path))
    return {key: message.get_all(key) for key in message.keys()}


def test_only_the_package(wheel) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = [Path(name) for name in names if ".dist-info/" not in name and not name.endswith("/")]
    assert {path.parts[:2] for path in package} == {
        ("whit", area) for area in ("runtime", "exporter", "models")
    }
    assert {path.suffix for path in package} <= SUFFIXES
    assert not [path for path in package if path.name.startswith(("test_", "conftest"))]
    for area in ("runtime", "exporter", "models"):
        assert Path("whit", area, "py.typed") in package
    assert Path("whit/runtime/_core.pyi") in package
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES


def test_three_libraries_of_the_tagged_machine(wheel, libraries) -> None:
    plain = {re.sub(r"^(whit/runtime/_core)\..*\.so$", r"\1", name) for name in libraries}
    plugins = {f"whit/runtime/libwhit_{runtime}.so" for runtime in ("onnxruntime", "litert")}
    assert plain == {"whit/runtime/_core", *plugins}
    machine = re.search(r"_(x86_64|aarch64)\.whl$", wheel.name)[1]
    for library in libraries.values():
        assert ELFFile(BytesIO(library))["e_machine"] == ELF_MACHINES[machine]


def test_tag_names_the_newest_symbol_of_the_c_library(wheel, libraries) -> None:
    newest = (0, 0)
    for name, library in libraries.items():
        section = ELFFile(BytesIO(library)).get_section_by_name(".gnu.version_r")
        assert isinstance(section, GNUVerNeedSection)
        for needed, versions in section.iter_versions():
            assert needed.name in PROMISED, name
            numbers = (re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version.name) for version in versions)
            newest = max([newest, *((int(number[1]), int(number[2])) for number in numbers if number)])
    (tag,) = metadata(wheel, "WHEEL")["Tag"]
    assert re.search(r"-manylinux_(\d+)_(\d+)_", tag).groups() == tuple(map(str, newest))
    assert wheel.name.endswith(f"-{tag}.whl")


def test_nothing_of_the_place_it_was_built(libraries) -> None:
    places = [str(ROOT), str(Path.home()), "/tmp/", "/build/"]
    for name, library in libraries.items():
        assert not [place for place in places if place.encode() in library], name
        assert not ELFFile(BytesIO(library)).get_section_by_name(".debug_info"), name


def test_base_dependencies_without_extras(wheel) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [line for line in metadata(wheel, "METADATA")["Requires-Dist"] if "extra ==" not in line]
    assert sorted(required) == sorted(project["dependencies"])
    assert metadata(wheel, "METADATA")["Requires-Python"] == [project["requires-python"]]
