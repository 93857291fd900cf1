"""`python -m benchmarks`: measures, checks what arrived, and writes the results."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.arrivals import ROOT
from benchmarks.contestants import CONTESTANTS
from benchmarks.scenarios import SCENARIOS, Figures, Setting

SMALL = {"rows": 2_000, "rounds": 1, "growth": (1_000, 20_000), "segments": 3, "paced": 30_000}
DOCS = ROOT / "docs"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    listed = f"what to measure: {', '.join(SCENARIOS)}; all without any"
    parser.add_argument("scenario", nargs="*", help=listed)
    parser.add_argument(
        "--small", action="store_true", help="one round of a few rows: shows that it works, not how fast"
    )
    parser.add_argument("--rows", type=int, help="people of the scenarios that have one size")
    parser.add_argument("--rounds", type=int, help="rounds of each side")
    parser.add_argument("--growth", type=int, nargs="*", help="sizes of the scenario growth")
    parser.add_argument(
        "--installed", action="store_true", help="measure the dbt-batch-sync of this environment"
    )
    cache = Path.home() / ".cache" / "dbt-batch-sync-benchmarks"
    parser.add_argument(
        "--cache", type=Path, default=cache, help="where environments, data and results are kept"
    )
    parser.add_argument("--docs", action="store_true", help="put the results into docs/performance.md too")
    given = parser.parse_args()
    unknown = set(given.scenario) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; {listed}")
    return given


def _setting(given: argparse.Namespace) -> Setting:
    chosen = dict(SMALL) if given.small else {}
    for name in ("rows", "rounds"):
        if getattr(given, name):
            chosen[name] = getattr(given, name)
    if given.growth:
        chosen["growth"] = tuple(given.growth)
    return Setting(given.cache / "work", given.cache / "environments", installed=given.installed, **chosen)  # type: ignore[arg-type]


def main() -> None:
    """Runs the scenarios one after another. A wrong arrival or a failed command ends it with a traceback."""
    given = _arguments()
    setting = _setting(given)
    results: dict[str, Figures] = {}
    for name in given.scenario or SCENARIOS:
        sys.stderr.write(f"{name} …\n")
        results[name] = SCENARIOS[name](setting)
        sys.stdout.write(f"\n{name}\n{report.table(results[name])}\n")
        sys.stdout.flush()
    versions: dict[str, str] = {}
    for each in CONTESTANTS if "first-push" in results else CONTESTANTS[:1]:
        versions |= setting.environment(each.environment).versions(each.packages)
    written = report.write(results, versions, setting.rows, given.cache / "results")
    if given.docs:
        head = str(json.loads(written.with_suffix(".json").read_text())["head"])
        report.fill(DOCS / "performance.md", results, head)
        drawn = written.with_name("first-push.svg")
        if drawn.exists():
            shutil.copyfile(drawn, DOCS / "img" / "first-push.svg")
    shutil.rmtree(setting.work, ignore_errors=True)
    sys.stderr.write(f"written to {written}\n")


if __name__ == "__main__":
    main()
