"""A run from its first event to its last, told by its log."""

from tests.engine.definitions import define
from tests.engine.simulator import Simulation, graph_of


def test_a_diamond_runs_its_branches_side_by_side_and_joins_them() -> None:
    simulation = Simulation(graph_of(define("a > b", "a > c", "b > d", "c > d")))

    simulation.run()

    told = [f"{row.type} {row.node}".strip() for row in simulation.log]
    assert told == [
        "RunStarted",
        "NodeStarted a",
        "NodeSucceeded a",
        "NodeStarted b",
        "NodeStarted c",
        "NodeSucceeded b",
        "NodeSucceeded c",
        "NodeStarted d",
        "NodeSucceeded d",
        "RunCompleted",
    ]


def test_the_log_folds_to_the_same_state() -> None:
    simulation = Simulation(graph_of(define("a > b", "a > c", "b > d", "c > d")))
    simulation.run()
    assert simulation.refolded() == simulation.state
