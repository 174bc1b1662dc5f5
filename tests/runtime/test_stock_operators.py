import pytest

from whit.runtime.stock_node import FLOAT32, GraphError, StockNode, StockTensor
from whit.runtime.stock_operators import OPERATORS

CONCATENATION = 2


def tensor(*shape):
    return StockTensor(name="x", type=FLOAT32, shape=shape, constant=None, is_constant=False, scale_axis=None)


@pytest.mark.parametrize("part", [(2,), (2, 3, 1), (1, 3)])
def test_parts_of_other_ranks_and_lengths_are_refused(part):
    node = StockNode(
        place="g/CONCATENATION 0",
        version=1,
        inputs=[tensor(2, 3), tensor(*part)],
        outputs=[tensor(2, 6)],
        options={"axis": 1, "fused_activation_function": 0},
    )
    with pytest.raises(GraphError, match="expected parts like"):
        OPERATORS[CONCATENATION].check(node)
