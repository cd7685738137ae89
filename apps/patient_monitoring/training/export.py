"""Models as ONNX graphs, written node by node: nothing but arithmetic goes into the file.

`deterioration.onnx` is the shipped model with its contributions. `compared.onnx` holds what
`evaluate` sets beside it; some of those know the time since admission, which the shipped
model must not, and no station ever opens that file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from apps.patient_monitoring.domain import Array
from apps.patient_monitoring.training.additive import Additive

OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
IR_VERSION = 10
Edge = str


class Graph:
    """A graph under construction; every method adds nodes and gives back an edge's name."""

    def __init__(self, inputs: dict[str, int]) -> None:
        self._inputs, self._outputs = dict(inputs), {}  # type: dict[str, int], dict[str, int]
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *edges: Edge, domain: str = "", **attributes: Any) -> Edge:
        """One node with one output."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        node = helper.make_node(kind, list(edges), [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> Edge:
        """An array that is part of the file."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def output(self, edge: Edge, name: str, width: int) -> None:
        """Call an edge by the name the contract gives it."""
        self._nodes.append(helper.make_node("Identity", [edge], [name]))
        self._outputs[name] = width

    def save(self, path: Path) -> None:
        """Check the graph and write it."""
        inputs = [_tensor(name, width) for name, width in self._inputs.items()]
        outputs = [_tensor(name, width) for name, width in self._outputs.items()]
        graph = helper.make_graph(self._nodes, path.stem, inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=OPSETS, producer_name="lineside")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def _tensor(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])


def filled(graph: Graph, features: Edge, typical: Array) -> Edge:
    """NaN replaced by the typical value."""
    return graph.add("Where", graph.add("IsNaN", features), graph.constant(typical), features)


def contributions(graph: Graph, features: Edge, model: Additive) -> Edge:
    """[n, features] of an additive model."""
    there = filled(graph, features, model.typical)
    centred = graph.add("Sub", there, graph.constant(model.typical))
    z = graph.add("Div", centred, graph.constant(model.scale))
    z = graph.add("Max", z, graph.constant(model.low))
    z = graph.add("Min", z, graph.constant(model.high))
    deep = graph.add("Unsqueeze", z, graph.constant([2], np.int64))
    bent = graph.add("Relu", graph.add("Sub", deep, graph.constant(model.knots)))
    bent = graph.add("Sub", bent, graph.constant(np.maximum(-model.knots, 0)))
    bent = graph.add("Mul", bent, graph.constant(model.bends))
    bent = graph.add("ReduceSum", bent, graph.constant([2], np.int64), keepdims=0)
    learned = graph.add("Add", graph.add("Mul", z, graph.constant(model.line)), bent)
    return graph.add("Add", learned, _chart(graph, there, model))


def _chart(graph: Graph, there: Edge, model: Additive) -> Edge:
    """[n, features]: NEWS2's share of the log odds, beside the typical patient's."""
    points = model.points
    deep = graph.add("Unsqueeze", there, graph.constant([2], np.int64))
    reached = graph.add("GreaterOrEqual", deep, graph.constant(points.edges))
    adds = graph.add("Where", reached, graph.constant(points.adds), graph.constant([0.0]))
    adds = graph.add("ReduceSum", adds, graph.constant([2], np.int64), keepdims=0)
    beside = graph.constant(points.first - model.typical_points)
    return graph.add("Mul", graph.add("Add", adds, beside), graph.constant([model.per_point]))


def summed(graph: Graph, parts: Edge, offset: float) -> Edge:
    """Log odds [n, 1] from contributions."""
    total = graph.add("ReduceSum", parts, graph.constant([1], np.int64), keepdims=1)
    return graph.add("Add", total, graph.constant([offset]))


def linear(graph: Graph, inputs: Edge, weights: Array, offset: float) -> Edge:
    """Log odds [n, 1] of a plain logistic regression."""
    product = graph.add("MatMul", inputs, graph.constant(weights.reshape(-1, 1)))
    return graph.add("Add", product, graph.constant([offset]))


def trees(graph: Graph, inputs: Edge, booster: Any) -> Edge:
    """Log odds [n, 1] of a scikit-learn HistGradientBoostingClassifier; no NaN comes in."""
    nodes = [(t, n, row) for t, tree in enumerate(booster._predictors)
             for n, row in enumerate(tree[0].nodes)]  # fmt: skip
    leaf = [bool(row["is_leaf"]) for _, _, row in nodes]
    ends = [(t, n, row) for (t, n, row), end in zip(nodes, leaf, strict=True) if end]
    return graph.add(
        "TreeEnsembleRegressor",
        inputs,
        domain="ai.onnx.ml",
        n_targets=1,
        base_values=[float(np.ravel(booster._baseline_prediction)[0])],
        nodes_treeids=[t for t, _, _ in nodes],
        nodes_nodeids=[n for _, n, _ in nodes],
        nodes_featureids=[0 if end else int(row["feature_idx"])
                          for (_, _, row), end in zip(nodes, leaf, strict=True)],
        nodes_values=[0.0 if end else _not_above(row["num_threshold"])
                      for (_, _, row), end in zip(nodes, leaf, strict=True)],
        nodes_modes=["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        nodes_truenodeids=[int(row["left"]) for _, _, row in nodes],
        nodes_falsenodeids=[int(row["right"]) for _, _, row in nodes],
        target_treeids=[t for t, _, _ in ends],
        target_nodeids=[n for _, n, _ in ends],
        target_ids=[0 for _ in ends],
        target_weights=[float(row["value"]) for _, _, row in ends],
    )  # fmt: skip


def _not_above(threshold: float) -> float:
    """The greatest single below or at a double: singles compare with both alike."""
    single = np.float32(threshold)
    return float(single if single <= threshold else np.nextafter(single, np.float32(-np.inf)))
