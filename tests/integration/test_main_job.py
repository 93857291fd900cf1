"""x"""
from harness.project import Project

COLUMNS = {"id": "varchar", "email": "varchar", "points": "bigint"}
def test_smoke(project: Project) -> None:
    project.map({"identifier": "id", "standard": {"email_address": "email"}, "custom": ["points"]})
    project.set_rows(COLUMNS, [{"id": "a", "email": "a@x.fr", "points": 1}, {"id": "b", "email": None, "points": 2}])
    done = project.sync()
    assert done.status == "succeeded"
    assert project.sent.attributes == {"a": {"$email_address": "a@x.fr", "points": 1}, "b": {"points": 2}}
    print(project.profiles(), project.snapshot(), project.rejects())
    done = project.call("push", "--json")
    print(done)
    done = project.cli("push", "--json")
    print(done)

def test_again(project: Project) -> None:
    test_smoke(project)
def test_again2(project: Project) -> None:
    test_smoke(project)
