"""Every operation of ECR's model is offered, has a test, and stands in README."""

import re

import pytest
from support.binary import SOURCE
from support.shapes import MODEL

OFFERED = re.findall(r'^    \{"(\w+)", (op_\w+), ', (SOURCE / "server/ecr/operations.c").read_text(), re.MULTILINE)


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_the_table_is_the_model():
    offered = [name for name, _ in OFFERED]
    assert len(offered) == len(set(offered)) and offered == sorted(offered)
    assert set(offered) == set(MODEL["operations"])


def test_handlers_are_named_after_their_operations():
    assert [function for _, function in OFFERED] == [f"op_{snake(name)}" for name, _ in OFFERED]


@pytest.fixture(scope="module")
def test_texts():
    folder = SOURCE / "tests/functional"
    return "\n".join(path.read_text() for path in sorted(folder.glob("test_*.py")))


@pytest.mark.parametrize("operation", [name for name, _ in OFFERED])
def test_an_offered_operation_has_a_test(test_texts, operation):
    assert re.search(rf'\.{snake(operation)}\b|"{operation}"', test_texts)


@pytest.mark.parametrize("operation", [name for name, _ in OFFERED])
def test_an_offered_operation_is_in_the_readme(operation):
    table = (SOURCE / "README.md").read_text().split("## ECR operations")[1].split("\n## ")[0]
    assert re.search(rf"\b{operation}\b", table)
