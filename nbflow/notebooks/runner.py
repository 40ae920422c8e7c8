"""Execute the notebook of one attempt folder (semantics §8). The only way in for whoever starts runner processes."""

from __future__ import annotations

from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.stop import GONE, Stop


def run(folder: AttemptFolder) -> bool:
    """Carry the attempt to its end and write its files, `outcome.json` last.

    Never raises for what the notebook does; raises OSError where not even the outcome can be written. SIGTERM with a
    stop order in the folder cancels, and each further one reads the order again; without an order it means `lost`.
    To be called in the main thread of a process of its own. Returns True where certainly nothing lives that its kernel
    started; processes of its own it has none then but as children.
    """
    stop = Stop()
    with stop.heeding(folder):
        order = folder.order()
        if order is None:
            raise FileNotFoundError(f"{folder.path} has no order")
        if folder.stop_order() is not None:
            stop.read_order(folder, GONE)
        from nbflow.notebooks.attempt import Attempt  # a second of imports, not before SIGTERM is heeded

        attempt = Attempt(folder, order, stop)
        attempt.run()
        return attempt.left_nothing
