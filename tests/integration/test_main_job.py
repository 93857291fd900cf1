"""The main job: a segment becomes profiles, and only what changed goes again."""

from __future__ import annotations

from harness.oracle import expected_profile, expected_refusals
from harness.people import COLUMNS, KINDS, MAPPING, people
from harness.project import Project


def test_2500_profiles_of_every_type(project: Project) -> None:
    rows = people(2500)
    project.map(MAPPING)
    project.set_rows(COLUMNS, rows)
    first = project.sync()
    profiles = project.profiles()
    assert len(profiles) == 2500
    import collections
    wrong = collections.Counter(); ex={}
    for row in rows:
        e = expected_profile(KINDS, row); g = profiles.get(str(row["id"]))
        for k in {*e, *g}:
            if e.get(k)!=g.get(k): wrong[k]+=1; ex[k]=(row["id"], e.get(k), g.get(k))
    print(wrong, ex)
    refused = {
        (str(row["id"]), name): reason
        for row in rows
        for name, reason in expected_refusals(KINDS, row).items()
    }
    r=project.rejects()
    print([(k,r.get(k),refused.get(k)) for k in {*r,*refused} if r.get(k)!=refused.get(k)][:20])
    print(collections.Counter((k[1],v) for k,v in refused.items()))
    assert 0
