"""The hand-declared ABI of ONNX Runtime against its real header (Debian: libonnxruntime-dev)."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from programs import needs

ABI = Path(__file__).parents[2] / "runtime" / "cpp" / "plugins" / "onnxruntime" / "ort_abi.h"
HEADERS = [
    Path(os.environ.get("ORT_INCLUDE_DIR", "")),
    Path("/usr/include/onnxruntime"),
    Path("/usr/include"),
]


def test_indices_and_fields_are_those_of_the_header(tmp_path: Path) -> None:
    folders = [folder for folder in HEADERS if (folder / "onnxruntime_c_api.h").exists()]
    compiler = needs("g++")
    if not folders:
        pytest.skip("this system has no onnxruntime_c_api.h (ORT_INCLUDE_DIR, or libonnxruntime-dev)")
    text = ABI.read_text()
    functions = re.findall(r"using (\w+) =\s+ApiFunction<(\d+),", text)
    body = re.search(r"struct OrtCustomOp \{(.*?)\n\};", text, re.DOTALL)
    assert len(functions) == 23
    assert body
    fields = ["version", *re.findall(r"\(\*(\w+)\)\(", body[1])]
    assert len(fields) == 26
    lines = ["#include <onnxruntime_c_api.h>", "#include <cstddef>"]
    lines += [
        f"static_assert(offsetof(OrtApi, {name}) == {index} * sizeof(void*));" for name, index in functions
    ]
    lines += [
        f"static_assert(offsetof(OrtCustomOp, {name}) == {i} * sizeof(void*));"
        for i, name in enumerate(fields)
    ]
    lines += [
        "static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT == 1 && ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 == 2);"
    ]
    lines += [
        "static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 == 3 && ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 == 6);"
    ]
    lines += ["static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED == 0);"]
    lines += ["static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16 == 5 && ORT_OP_ATTR_INT == 1);"]
    lines += ["static_assert(ORT_INVALID_ARGUMENT == 2 && OrtMemTypeDefault == 0);"]
    lines += ["static_assert(INPUT_OUTPUT_REQUIRED == 0 && INPUT_OUTPUT_OPTIONAL == 1);"]
    source = tmp_path / "abi.cpp"
    source.write_text("\n".join(lines))
    command = [compiler, "-std=c++20", "-fsyntax-only", "-I", str(folders[0]), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
