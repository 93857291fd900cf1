"""`python -m benchmarks`: measures, checks what arrived, and saves the results."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import findings, report
from benchmarks.arrivals import ROOT, WrongArrivals
from benchmarks.measure import CommandFailed
from benchmarks.scenarios import SCENARIOS
from benchmarks.setting import Absent, Setting

SMALL = Setting(
    Path(),
    Path(),
    rows=2_000,
    rounds=1,
    growth=(500, 2_000),
    syncs=3,
    histories=(20_000, 200_000),
    paced=(20_000, 1_200),
    paced_kinds=(30_000, 1_000),
    audited=(2_000,),
)
DOCS = ROOT / "docs"
KEPT = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures, checks what arrived, and saves the results."
    )
    listed = f"scenarios to measure (default: all): {', '.join(SCENARIOS)}"
    parser.add_argument("scenario", nargs="*", help=listed)
    parser.add_argument(
        "--small", action="store_true", help="one round with few rows, to check that the benchmarks work"
    )
    parser.add_argument("--rows", type=int, help="number of people in scenarios with one size")
    parser.add_argument("--rounds", type=int, help="rounds per side")
    parser.add_argument("--growth", type=int, nargs="+", help="sizes of the scenario growth")
    parser.add_argument("--syncs", type=int, help="number of syncs in the scenario many-syncs")
    parser.add_argument(
        "--installed",
        action="store_true",
        help="install nothing: use the dbt-batch-sync and the other tools in this environment",
    )
    cache = Path.home() / ".cache" / "dbt-batch-sync-benchmarks"
    parser.add_argument(
        "--cache", type=Path, default=cache, help="directory for environments, data and results"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="save the results to benchmarks/results and docs/",
    )
    parser.add_argument(
        "--only-docs",
        action="store_true",
        help="measure nothing; update docs/ from benchmarks/results",
    )
    given = parser.parse_args()
    unknown = set(given.scenario) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; {listed}")
    if given.small and given.docs:
        parser.error("--small results are not worth saving: remove --docs")
    return given


def _setting(given: argparse.Namespace, work: Path) -> Setting:
    base = SMALL if given.small else Setting(work, work)
    return dataclasses.replace(
        base,
        work=work,
        environments=given.cache / "environments",
        rows=given.rows or base.rows,
        rounds=given.rounds or base.rounds,
        growth=tuple(given.growth or base.growth),
        syncs=given.syncs or base.syncs,
        installed=given.installed,
    )


def _measure(setting: Setting, names: list[str], kept: Path) -> bool:
    """Save each result as soon as it is available. Return whether there was any."""
    any_measured = False
    for name in names:
        sys.stderr.write(f"{name} …\n")
        try:
            found = SCENARIOS[name](setting)
        except Absent as absent:
            sys.stderr.write(f"{name}: skipped, {absent}\n")
            continue
        findings.save(findings.result(name, setting.rows, found.versions, found.figures), kept)
        sys.stdout.write(f"\n{name}\n{report.table(found.figures)}\n")
        sys.stdout.flush()
        any_measured = True
    return any_measured


def main() -> None:
    """Run the scenarios in order. Stops at a failed command or wrong arrivals."""
    given = _arguments()
    # Servers and data must be cleaned up when the run is terminated.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given.cache.mkdir(parents=True, exist_ok=True)
    kept = KEPT if given.docs else given.cache / "results"
    if not given.only_docs:
        with tempfile.TemporaryDirectory(dir=given.cache, prefix="work-") as work:
            try:
                if not _measure(_setting(given, Path(work)), given.scenario or list(SCENARIOS), kept):
                    sys.exit("benchmarks: nothing could be measured")
            except (CommandFailed, WrongArrivals) as error:
                sys.exit(f"benchmarks: {error}")
        sys.stderr.write(f"saved in {kept}\n")
    if given.docs or given.only_docs:
        report.fill(DOCS / "performance.md", DOCS / "img", findings.read(KEPT))


if __name__ == "__main__":
    main()
