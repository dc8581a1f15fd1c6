"""Recipes by name, and reports in notebooks."""
import html
import os

from . import _glia

_recipes = _glia.recipes


def train(name, /, *, out="", resume=False, overwrite=False, quiet=False, find_lr=False,
          **settings):
    """Trains a recipe with these settings: train("k-means", clusters=10). Gives its folder and
    results. Ctrl-C saves what a run needs to go on, and raises glia.Interrupted."""
    recipe = _recipes.named(name)
    known = {s.name.replace("-", "_"): s.name for s in recipe.settings()}
    given = {known.get(key, key): value for key, value in settings.items()}
    asked = []

    def stop(number, frame):
        asked.append(True)

    with _signal(stop):
        return recipe.train(_recipes.TrainJob(given=given, out=str(out), resume=resume,
                                              overwrite=overwrite, quiet=quiet, find_lr=find_lr,
                                              interrupted=lambda: bool(asked)))


class _signal:
    """Ctrl-C calls a function, while it is entered on the main thread."""

    def __init__(self, stop):
        self.stop = stop

    def __enter__(self):
        import signal
        try:
            self.before = signal.signal(signal.SIGINT, self.stop)
        except ValueError:  # another thread has no signals
            self.before = None

    def __exit__(self, *_):
        import signal
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


def _frame(page):
    """A page within a notebook's."""
    return (f'<iframe srcdoc="{html.escape(page)}" style="width: 100%; height: 640px; border: 0">'
            "</iframe>")


def _report(self):
    return _frame(_glia.report.to_html(self))


def _run_report(self):
    path = os.path.join(self.folder, "report.html")
    if not os.path.exists(path):
        return html.escape(repr(self))
    with open(path, encoding="utf-8") as page:
        return _frame(page.read())


def _install():
    _recipes.train = train
    _glia.report.Report._repr_html_ = _report
    _recipes.Trained._repr_html_ = _run_report
