"""dbt's project and profile are found and read as in dbt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dbt_batch_sync.connections.profiles import (
    DbtOptions,
    find_profiles,
    find_project,
    read_project,
    read_target,
)
from dbt_batch_sync.errors import ProfileError

PROJECT = "name: shop\nprofile: shop\n"
PROFILES = """
shop:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('DUCKDB_PATH', 'shop.duckdb') }}"
      threads: 4
      extensions: [httpfs, "{{ env_var('EXTENSION', 'parquet') }}"]
    prod:
      type: postgres
      host: "{{ env_var('PG_HOST') }}"
      port: "{{ env_var('PG_PORT') | as_number }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD') }}"
      schema: "{{ var('schema', 'analytics') }}"
dbt_batch_sync:
  outputs:
    prod: {type: batch, rest_api_key: "{{ env_var('NOT_SET') }}"}
"""


@pytest.fixture
def options(tmp_path: Path) -> DbtOptions:
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text(PROJECT)
    (project / "profiles.yml").write_text(PROFILES)
    (tmp_path / "elsewhere").mkdir()
    return DbtOptions(project, {"HOME": str(tmp_path / "home")}, cwd=tmp_path / "elsewhere")


def with_environ(options: DbtOptions, **environ: str) -> DbtOptions:
    return replace(options, environ={**options.environ, **environ})


def write_profiles(options: DbtOptions, text: str) -> None:
    (options.project_dir / "profiles.yml").write_text(text)


def write_project(options: DbtOptions, text: str) -> None:
    (options.project_dir / "dbt_project.yml").write_text(text)


# Project


def test_the_project_is_read(options: DbtOptions) -> None:
    project = read_project(options)
    assert (project.directory, project.name, project.profile) == (options.project_dir, "shop", "shop")
    assert project.manifest == options.project_dir / "target" / "manifest.json"
    assert project.model_paths == (options.project_dir / "models",)


def test_project_paths(options: DbtOptions) -> None:
    write_project(
        options, "name: shop\ntarget-path: \"{{ env_var('OUT', 'out') }}\"\nmodel-paths: [a, b/c]\n"
    )
    assert read_project(options).target_path == options.project_dir / "out"
    assert read_project(options).model_paths == (options.project_dir / "a", options.project_dir / "b/c")
    assert read_project(with_environ(options, OUT="x")).target_path == options.project_dir / "x"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DBT_TARGET_PATH": "old"}, "old"),
        ({"DBT_TARGET_PATH": "old", "DBT_ENGINE_TARGET_PATH": "new"}, "new"),
        ({"DBT_TARGET_PATH": ""}, "target"),
    ],
)
def test_the_target_path_of_the_environment(
    options: DbtOptions, environ: Mapping[str, str], expected: str
) -> None:
    assert read_project(with_environ(options, **environ)).target_path == options.project_dir / expected


def test_a_target_path_containing_the_target(options: DbtOptions) -> None:
    write_project(options, "name: shop\nprofile: shop\ntarget-path: 'out/{{ target.name }}'\n")
    assert read_project(options).target_path == options.project_dir / "out" / "dev"
    (options.project_dir / "profiles.yml").unlink()
    write_project(options, "name: shop\nprofile: shop\ntarget-path: target\n")
    assert read_project(options).target_path == options.project_dir / "target", "there should be no profile"
    given = replace(options, target_path=Path("given"))
    assert read_project(given).target_path == options.project_dir / "given"


def test_only_needed_project_keys_are_rendered(options: DbtOptions) -> None:
    write_project(
        options, "name: shop\nmodels: {+schema: \"{{ env_var('NOT_SET') }}\"}\non-run-end: '{{ x() }}'\n"
    )
    assert read_project(options).profile is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profile: shop", "name: is required"),
        ("name: 7", "name: must be a text, not a whole number"),
        ("name: shop\nprofile: [shop]", "profile: must be a text, not a list"),
        ("name: shop\ntarget-path: 1", "target-path: must be a text"),
        ("name: shop\nmodel-paths: models", "model-paths: must be a list"),
        ("name: shop\nmodel-paths: [1]", "model-paths: must be a list"),
        ("- name", "must be a mapping of keys, not a list"),
        ("", "must be a mapping of keys, not null"),
    ],
)
def test_invalid_projects(options: DbtOptions, text: str, words: str) -> None:
    write_project(options, text)
    with pytest.raises(ProfileError, match=r"dbt_project\.yml") as caught:
        read_project(options)
    assert words in str(caught.value)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"there is no dbt_project.yml in .*--project-dir"):
        read_project(DbtOptions(tmp_path, {}))


def test_parent_directories_are_searched(options: DbtOptions, tmp_path: Path) -> None:
    below = options.project_dir / "models" / "crm"
    below.mkdir(parents=True)
    assert find_project(below) == options.project_dir
    assert find_project(options.project_dir) == options.project_dir
    assert find_project(tmp_path / "elsewhere") == tmp_path / "elsewhere"


# Location of profiles.yml


def test_search_order(options: DbtOptions, tmp_path: Path) -> None:
    def place(name: str) -> Path:
        path = tmp_path / name
        path.mkdir(exist_ok=True, parents=True)
        (path / "profiles.yml").write_text("{}")
        return path / "profiles.yml"

    (options.project_dir / "profiles.yml").unlink()
    home, project = place("home/.dbt"), options.project_dir / "profiles.yml"
    assert find_profiles(options) == home
    place("project")
    assert find_profiles(options) == project
    here = place("elsewhere")
    assert find_profiles(options) == here
    old = place("old")
    options = with_environ(options, DBT_PROFILES_DIR=str(old.parent))
    assert find_profiles(options) == old
    new = place("new")
    options = with_environ(options, DBT_ENGINE_PROFILES_DIR=str(new.parent))
    assert find_profiles(options) == new
    flag = place("flag")
    assert find_profiles(replace(options, profiles_dir=flag.parent)) == flag


def test_a_given_directory_is_the_only_place(options: DbtOptions, tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        find_profiles(replace(options, profiles_dir=tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert str(options.project_dir) not in str(caught.value)
    assert "--profiles-dir" in str(caught.value)


def test_a_relative_directory_is_relative_to_the_working_directory(options: DbtOptions) -> None:
    assert find_profiles(replace(options, profiles_dir=Path("../project"))).samefile(
        options.project_dir / "profiles.yml"
    )


def test_a_missing_profiles_yml_error_names_every_location(options: DbtOptions) -> None:
    (options.project_dir / "profiles.yml").unlink()
    with pytest.raises(ProfileError) as caught:
        find_profiles(options)
    for place in (options.cwd, options.project_dir, Path(options.environ["HOME"], ".dbt")):
        assert str(place) in str(caught.value)


def test_without_a_home_directory(options: DbtOptions) -> None:
    (options.project_dir / "profiles.yml").unlink()
    with pytest.raises(ProfileError):
        find_profiles(replace(options, environ={}))


# Target


def test_the_default_target_of_the_profile(options: DbtOptions) -> None:
    target = read_target(options)
    assert (target.profile_name, target.target_name, target.type, target.threads) == (
        "shop",
        "dev",
        "duckdb",
        4,
    )
    path = str(options.project_dir / "shop.duckdb")
    assert dict(target.credentials) == {"path": path, "extensions": ["httpfs", "parquet"]}


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ({"type": "duckdb", "path": "a/b.duckdb"}, {"path": "<project>/a/b.duckdb"}),
        ({"type": "duckdb", "path": "/data/b.duckdb"}, {"path": "/data/b.duckdb"}),
        ({"type": "duckdb", "path": ":memory:"}, {"path": ":memory:"}),
        ({"type": "duckdb", "path": "md:shop"}, {"path": "md:shop"}),
        ({"type": "duckdb", "path": "~/b.duckdb"}, {"path": "<home>/b.duckdb"}),
        ({"type": "duckdb", "attach": [{"path": "~/b.duckdb"}]}, {"attach": [{"path": "<home>/b.duckdb"}]}),
        (
            {"type": "duckdb", "attach": [{"path": "b.duckdb", "alias": "b"}, {"path": "s3://b/c"}]},
            {"attach": [{"path": "<project>/b.duckdb", "alias": "b"}, {"path": "s3://b/c"}]},
        ),
        ({"type": "bigquery", "keyfile": "key.json"}, {"keyfile": "<project>/key.json"}),
        ({"type": "bigquery", "keyfile": "~/key.json"}, {"keyfile": "~/key.json"}),
        ({"type": "snowflake", "private_key_path": "k.p8"}, {"private_key_path": "<project>/k.p8"}),
        ({"type": "postgres", "path": "b"}, {"path": "b"}),
    ],
)
def test_a_relative_path_starts_at_the_project(
    options: DbtOptions,
    written: Mapping[str, object],
    resolved: Mapping[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    write_profiles(options, json.dumps({"shop": {"outputs": {"default": written}}}))
    found = json.dumps(dict(read_target(options).credentials))
    found = found.replace(str(options.project_dir), "<project>").replace("/home/ada", "<home>")
    assert json.loads(found) == resolved


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({"DBT_TARGET": "prod"}, None, "prod"),
        ({"DBT_ENGINE_TARGET": "prod", "DBT_TARGET": "nowhere"}, None, "prod"),
        ({"DBT_ENGINE_TARGET": "nowhere"}, "prod", "prod"),
        ({"DBT_ENGINE_TARGET": ""}, None, "dev"),
        ({"DBT_ENGINE_PROFILE": "other"}, None, "default"),
    ],
)
def test_dbt_variables_match_its_flags(
    options: DbtOptions, environ: Mapping[str, str], given: str | None, expected: str
) -> None:
    output = {"type": "duckdb"}
    shop = {"target": "dev", "outputs": {"dev": output, "prod": output}}
    write_profiles(options, json.dumps({"shop": shop, "other": {"outputs": {"default": output}}}))
    target = read_target(replace(with_environ(options, **environ), target=given))
    assert target.target_name == expected


def test_another_target(options: DbtOptions) -> None:
    environ = {"PG_HOST": "db", "PG_PORT": "5432", "DBT_ENV_SECRET_PASSWORD": "p4ss"}
    target = read_target(replace(with_environ(options, **environ), target="prod", variables={"schema": "s"}))
    assert dict(target.credentials) == {"host": "db", "port": 5432, "password": "p4ss", "schema": "s"}
    assert (target.type, target.threads) == ("postgres", 1)


def test_no_repr_shows_the_credentials(options: DbtOptions) -> None:
    environ = {"PG_HOST": "db", "PG_PORT": "5432", "DBT_ENV_SECRET_PASSWORD": "p4ss"}
    options = replace(with_environ(options, **environ), target="prod", variables={"token": "t0k"})
    assert not any(word in repr(read_target(options)) + repr(options) for word in ("p4ss", "5432", "t0k"))


def test_only_the_selected_target_is_rendered(options: DbtOptions) -> None:
    assert read_target(options).target_name == "dev"
    with pytest.raises(ProfileError, match="`PG_HOST`"):
        read_target(replace(options, target="prod"))


def test_the_target_from_the_environment(options: DbtOptions) -> None:
    write_profiles(options, PROFILES.replace("target: dev", "target: \"{{ env_var('T') }}\""))
    assert read_target(with_environ(options, T="dev")).target_name == "dev"
    with pytest.raises(ProfileError, match="`T`, which is not set"):
        read_target(options)
    assert read_target(replace(options, target="dev")).target_name == "dev"


def test_the_target_defaults_to_default(options: DbtOptions) -> None:
    write_profiles(options, "shop: {outputs: {default: {type: duckdb}}}")
    assert read_target(options).target_name == "default"


def test_the_profile_from_the_flag(options: DbtOptions) -> None:
    write_profiles(options, "other: {outputs: {default: {type: duckdb}}}")
    (options.project_dir / "dbt_project.yml").unlink()
    assert read_target(replace(options, profile="other")).profile_name == "other"


@pytest.mark.parametrize(
    ("profiles", "target", "words"),
    [
        ("", None, ("must be a mapping of profiles, not null",)),
        ("[shop]", None, ("must be a mapping of profiles, not a list",)),
        ("shp: {}\n1: {}", None, ("no profile `shop` (did you mean `shp`?)", "there are: `shp`")),
        ("shop:", None, ("`outputs`",)),
        ("shop: []", None, ("`outputs`",)),
        ("shop: {outputs: []}", None, ("`outputs`",)),
        ("shop: {outputs: {}}", None, ("`outputs`",)),
        ("shop: {outputs: {dev: {}}, target: prod}", None, ("shop.target: names none", "accepted: `dev`")),
        ("shop: {outputs: {dev: {}}, target: 1}", None, ("shop.target: names none",)),
        ("shop: {outputs: {dev: {}}, target: [dev]}", None, ("shop.target: names none",)),
        ("shop: {outputs: {dev: {}}}", "dv", ("no output `dv` (did you mean `dev`?)", "accepted: `dev`")),
        ("shop: {outputs: {dev: }}", "dev", ("shop.outputs.dev: must be a mapping of keys, not null",)),
        ("shop: {outputs: {dev: {1: 2}}}", "dev", ("shop.outputs.dev: must be a mapping of keys",)),
        ("shop: {outputs: {dev: {path: x}}}", "dev", ("dev.type: is required", "`duckdb`")),
        ("shop: {outputs: {dev: {type: 1}}}", "dev", ("dev.type",)),
        ("shop: {outputs: {dev: {type: os.path}}}", "dev", ("dev.type",)),
        ("shop: {outputs: {dev: {type: ../x}}}", "dev", ("dev.type",)),
        ('shop: {outputs: {dev: {type: "duckdb\\n"}}}', "dev", ()),
        ("shop: {outputs: {dev: {type: duckdb, threads: 0}}}", "dev", ("dev.threads", "at least 1")),
        ("shop: {outputs: {dev: {type: duckdb, threads: true}}}", "dev", ("dev.threads", "not a boolean")),
        ("shop: {outputs: {dev: {type: duckdb, threads: '4'}}}", "dev", ("dev.threads", "not text")),
        ("shop: {outputs: {dev: {type: duckdb, path: !!binary aGk=}}}", "dev", ("dev.path: is neither",)),
    ],
)
def test_invalid_profiles(
    options: DbtOptions, profiles: str, target: str | None, words: tuple[str, ...]
) -> None:
    write_profiles(options, profiles)
    options = replace(options, target=target)
    if not words:
        assert read_target(options).type == "duckdb"
        return
    with pytest.raises(ProfileError) as caught:
        read_target(options)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "profiles.yml" in str(caught.value)


def test_a_rendered_target_is_not_shown(options: DbtOptions) -> None:
    write_profiles(options, "shop: {target: \"{{ env_var('T') }}\", outputs: {dev: {type: duckdb}}}")
    with pytest.raises(ProfileError) as caught:
        read_target(with_environ(options, T="s3cret"))
    assert "s3cret" not in str(caught.value)


def test_a_project_without_a_profile(options: DbtOptions) -> None:
    write_project(options, "name: shop")
    with pytest.raises(ProfileError, match="has no `profile`: add it, or give `--profile`"):
        read_target(options)
