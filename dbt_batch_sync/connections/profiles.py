"""dbt's project and profile: `dbt_project.yml`, `profiles.yml` and the target.

Finds and renders them like dbt, without importing it. No message and no `repr` contains a rendered value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

from dbt_batch_sync.connections.rendering import Renderer
from dbt_batch_sync.errors import ProfileError
from dbt_batch_sync.mapping.validation import did_you_mean, kind, listed, shown

PROFILES_FILE = "profiles.yml"
PROJECT_FILE = "dbt_project.yml"
DEFAULT_THREADS = 1
FILES = ("keyfile", "private_key_path", "sslcert", "sslkey", "sslrootcert")
"""Credentials of dbt's adapters that are paths, in addition to DuckDB's."""

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, where it is installed: ten times as fast."""

_INVALID = (yaml.YAMLError, ValueError, LookupError, AttributeError)
"""PyYAML also raises the others, for a date in month 13, a tag on the wrong kind of value, and so on."""


@dataclass(frozen=True)
class DbtOptions:
    """dbt's flags and the environment. A flag that was not given is None.

    `environ` is for `env_var` and dbt's variables. dbt starts looking in `cwd`.
    """

    project_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    profiles_dir: Path | None = None
    profile: str | None = None
    target: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict, repr=False)
    cwd: Path = Path()
    target_path: Path | None = None

    @property
    def renderer(self) -> Renderer:
        return Renderer(self.environ, self.variables)

    def setting(self, name: str) -> str | None:
        """The value of a flag, or of dbt's environment variable: `DBT_ENGINE_…`, then `DBT_…`."""
        given = getattr(self, name)
        variables = (f"DBT_ENGINE_{name.upper()}", f"DBT_{name.upper()}")
        found = given if given is not None else next(filter(None, map(self.environ.get, variables)), None)
        return None if found is None else str(found)


@dataclass(frozen=True)
class Project:
    """The contents of `dbt_project.yml`. Paths are absolute or relative, like the project's directory."""

    directory: Path
    name: str
    profile: str | None
    target_path: Path
    model_paths: tuple[Path, ...]

    @property
    def manifest(self) -> Path:
        return self.target_path / "manifest.json"


@dataclass(frozen=True)
class WarehouseTarget:
    """A target of the dbt profile: the adapter's type and credentials."""

    profile_name: str
    target_name: str
    type: str
    credentials: Mapping[str, object] = field(repr=False)
    threads: int = DEFAULT_THREADS


def read_yaml(path: Path) -> object:
    """The file's only document as plain data; None if it is empty. Raises ProfileError if it can't be read.
    The message has the line, but not the text, which may be a secret.
    """
    try:
        text = path.read_bytes()
        with suppress(*_INVALID):
            return yaml.load(text, Loader=_FAST)  # noqa: S506 - a safe one
        return yaml.safe_load(text)  # fails too, with a better position
    except OSError as error:
        raise ProfileError(f"{path}: can't be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProfileError(f"{path}: {line}is not valid YAML") from None
    except _INVALID:
        raise ProfileError(f"{path}: is not valid YAML") from None


def find_project(directory: Path) -> Path:
    """The nearest directory with a `dbt_project.yml`, from this one upwards; this one if there is none."""
    directory = directory.absolute()
    return next(
        (each for each in (directory, *directory.parents) if (each / PROJECT_FILE).is_file()), directory
    )


def read_project(options: DbtOptions) -> Project:
    """Reads `dbt_project.yml`. Raises ProfileError if there is none, or a key is missing or wrong."""
    path = options.project_dir / PROJECT_FILE
    if not path.is_file():
        raise ProfileError(
            f"there is no {PROJECT_FILE} in {options.project_dir}: give its directory with `--project-dir`"
        )
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ProfileError(f"{path}: must be a mapping of keys, not {kind(raw)}")
    renderer = options.renderer
    if re.search(r"\{[{%].*\btarget\b", f"{raw.get('target-path')} {raw.get('model-paths')}"):
        profile = _text(renderer.render(raw.get("profile"), f"{path}: profile"), "profile", path)
        target = _read_target(options, profile)
        names = {"target_name": target.target_name, "profile_name": target.profile_name}
        own = {**names, "name": target.target_name, "type": target.type, "threads": target.threads}
        renderer = Renderer(options.environ, options.variables, {**target.credentials, **own})
    needed = {name: raw[name] for name in ("name", "profile", "target-path", "model-paths") if name in raw}
    rendered = renderer.render(needed, str(path))
    models = rendered.get("model-paths", ["models"])
    if not isinstance(models, list) or not all(isinstance(each, str) and each for each in models):
        raise ProfileError(f"{path}: model-paths: must be a list of directories")
    name = _text(rendered.get("name"), "name", path)
    if not name:
        raise ProfileError(f"{path}: name: is required: the project's name")
    written = _text(rendered.get("target-path"), "target-path", path)
    return Project(
        directory=options.project_dir,
        name=name,
        profile=_text(rendered.get("profile"), "profile", path),
        target_path=options.project_dir / (options.setting("target_path") or written or "target"),
        model_paths=tuple(options.project_dir / each for each in models),
    )


def find_profiles(options: DbtOptions) -> Path:
    """The `profiles.yml`: in `--profiles-dir` or `DBT_PROFILES_DIR`, or else here, in the project or in
    `~/.dbt`. If there is none, the ProfileError lists where it was searched.
    """
    given = options.setting("profiles_dir")
    home = options.environ.get("HOME") or options.environ.get("USERPROFILE")
    places = [options.cwd, options.project_dir, *([Path(home, ".dbt")] if home else [])]
    candidates = [options.cwd / given] if given else places
    for each in candidates:
        if (each / PROFILES_FILE).is_file():
            return each / PROFILES_FILE
    looked = ", ".join(dict.fromkeys(str(each.absolute()) for each in candidates))
    raise ProfileError(f"there is no {PROFILES_FILE} in {looked}: give its directory with `--profiles-dir`")


def find_output(
    options: DbtOptions, profile: str, name: str | None, to_add: str = ""
) -> tuple[str, object, str]:
    """An output of a profile by name; None: the one in the profile's `target`, or `default`: its name, the
    output, not rendered, and its place for messages. If there is no such profile or output, the ProfileError
    lists the existing ones, or says what `to_add` for the profile.
    """
    path = find_profiles(options)
    profiles = read_yaml(path)
    if not isinstance(profiles, dict):
        raise ProfileError(f"{path}: must be a mapping of profiles, not {kind(profiles)}")
    if profile not in profiles:
        others = f"{did_you_mean(profile, map(str, profiles))}; there are: {listed(map(shown, profiles))}"
        raise ProfileError(f"{path}: has no profile `{shown(profile)}`{to_add or others}")
    where, found = f"{path}: {shown(profile)}", profiles[profile]
    outputs = found.get("outputs") if isinstance(found, dict) else None
    if not isinstance(outputs, dict) or not outputs:
        raise ProfileError(f"{where}: must have `outputs`, a mapping of names to connections")
    known = [each for each in outputs if isinstance(each, str)]
    accepted = f"accepted: {listed(map(shown, known))}"
    picked = (
        name
        if name is not None
        else options.renderer.render(found.get("target", "default"), f"{where}.target")
    )
    if picked not in known:
        if name is None:
            # The profile's own target may come from the environment, so it is not shown.
            raise ProfileError(f"{where}.target: names none of the outputs; {accepted}")
        raise ProfileError(f"{where}: has no output `{shown(name)}`{did_you_mean(name, known)}; {accepted}")
    return picked, outputs[picked], f"{where}.outputs.{shown(picked)}"


def read_target(options: DbtOptions) -> WarehouseTarget:
    """Reads the target of the dbt profile: the project's or `--profile`, its own target or `--target`. Raises
    ProfileError if a file, the profile, the target or an environment variable is missing or wrong.
    """
    return _read_target(options, None if options.setting("profile") else read_project(options).profile)


def target_schema(options: DbtOptions) -> str | None:
    """dbt's `target.schema`; None if the profile can't be read."""
    try:
        target = read_target(options)
    except ProfileError:
        return None
    found = target.credentials.get("schema") or target.credentials.get("dataset")
    return str(found) if found else "main" if target.type == "duckdb" else None


def _read_target(options: DbtOptions, project_profile: str | None) -> WarehouseTarget:
    name = options.setting("profile") or project_profile
    if name is None:
        raise ProfileError(
            f"{options.project_dir / PROJECT_FILE}: has no `profile`: add it, or give `--profile`"
        )
    target, raw, where = find_output(options, name, options.setting("target"))
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise ProfileError(f"{where}: must be a mapping of keys, not {kind(raw)}")
    credentials = options.renderer.render(raw, where)
    adapter = credentials.pop("type", None)
    # The type becomes part of a module's name, so it must be an identifier.
    if not isinstance(adapter, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", adapter):
        raise ProfileError(f"{where}.type: is required: the adapter's name, such as `duckdb` or `postgres`")
    threads = credentials.pop("threads", DEFAULT_THREADS)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ProfileError(f"{where}.threads: must be a whole number of at least 1, not {kind(threads)}")
    _resolve_files(credentials, adapter, options.project_dir)
    return WarehouseTarget(name, target, adapter, MappingProxyType(credentials), threads)


def _resolve_files(credentials: dict[str, object], adapter: str, project_dir: Path) -> None:
    """Resolves relative paths from the project, because dbt changes to it before it connects."""
    attached = credentials.get("attach") if adapter == "duckdb" else None
    databases = [credentials, *(attached if isinstance(attached, list) else ())]
    for holder in databases if adapter == "duckdb" else ():
        path = holder.get("path") if isinstance(holder, dict) else None
        # `:memory:`, `md:…` and `s3://…` are not files.
        if isinstance(path, str) and path and ":" not in path.removeprefix(Path(path).drive):
            holder["path"] = str(project_dir / os.path.expanduser(path))  # DuckDB expands `~` too
    for name in FILES:
        value = credentials.get(name)
        if isinstance(value, str) and value and not value.startswith("~"):
            credentials[name] = str(project_dir / value)


def _text(value: object, name: str, path: Path) -> str | None:
    if value is not None and not (isinstance(value, str) and value):
        raise ProfileError(f"{path}: {name}: must be a text, not {kind(value)}")
    return value
