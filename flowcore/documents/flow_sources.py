"""The sources of a flow file: declared, named by their type, inline, or made from another one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from flowcore.catalog import Catalog
from flowcore.errors import Path
from flowcore.expressions import Reference, check_template
from flowcore.graph import find_cycles, walked
from flowcore.model import Source
from flowcore.values import Json

from .configuration import check_configuration, check_joined, check_parts
from .fields import Fields, type_name
from .findings import Findings, did_you_mean
from .keys import fill_members
from .narrowing import merge_source
from .references import Names, check_expressions, roots_of, written

SOURCE_KEYS: Final = ("type", "configuration")
_OVERRIDE_KEYS: Final = ("base", "override")


class SourceTable:
    """The sources that the steps of one flow use, each checked once.

    Attributes:
        declared: Type and configuration of every source under `sources`, as written.
        sources: Every sound source by the key that steps refer to it with.
    """

    def __init__(self, given: Mapping[str, Json], rows: Json, catalog: Catalog, findings: Findings) -> None:
        """Declare the sources *given* under `sources`, for the steps *rows*."""
        self.declared: dict[str, tuple[str, Mapping[str, Json]]] = {}
        self.sources: dict[str, Source] = {}
        self._given = given
        self._catalog = catalog
        self._findings = findings
        self._checked: dict[tuple[str, bool], tuple[str, ...]] = {}
        self._declare(_only_bases(rows))
        self._faulty = frozenset((problem.code, problem.path) for problem in findings.problems)

    def _declare(self, bases: Collection[str]) -> None:
        for name, value in self._given.items():
            path: Path = ("sources", name)
            if not isinstance(value, dict):
                message = f"source '{name}' must be a mapping with 'type' and 'configuration', not {type_name(value)}"
                self._findings.add("wrong-type", path, message)
                continue
            if name == "":
                self._findings.add("bad-value", path, "a source needs a name that is not empty")
            strange = [key for key in _OVERRIDE_KEYS if key in value]
            for key in strange:
                message = f"unknown key '{key}': a source under 'sources' is not made from another one"
                hint = "a step does that: `source: {base: <name>, override: {configuration: {...}}}`"
                self._findings.add("unknown-key", (*path, key), message, hint=hint)
            if strange and "type" not in value:
                continue
            sound = {key: item for key, item in value.items() if key not in strange}
            kind, configuration = self._parts(sound, path, self._findings)
            if kind is not None:
                self.declared[name] = (kind, configuration)
                self._keep(name, kind, configuration, path, self._findings, base=name in bases)

    def _parts(
        self, value: Mapping[str, Json], path: Path, findings: Findings
    ) -> tuple[str | None, Mapping[str, Json]]:
        fields = Fields(value, path, findings, SOURCE_KEYS)
        kind = fields.text("type")
        if fields.raw("type") is None:
            findings.add("missing-key", path, "a source needs a 'type'", hint=self._kinds())
        return kind, fields.mapping("configuration")

    def _kinds(self) -> str:
        return "available: " + ", ".join(sorted(self._catalog))

    def _keep(
        self,
        key: str,
        kind: str,
        configuration: Mapping[str, Json],
        path: Path,
        findings: Findings,
        *,
        base: bool = False,
    ) -> bool:
        """Check a source and keep it under *key*; return whether its type is known.

        Args:
            base: Whether it is only what others are made from: those must be whole. (Not one with values, for
                expressions read those of itself.)
        """
        source = self._catalog.get(kind)
        if source is None:
            message = f"unknown source type '{kind}'; {self._kinds()}"
            findings.add("unknown-source-type", (*path, "type"), message, hint=did_you_mean(kind, self._catalog))
            return False
        path = (*path, "configuration")
        filled = fill_members(configuration, path, findings)
        missing = Findings()
        check_parts(source, filled, path, missing)
        partial = base and not source.values and not missing.sound
        if not partial:
            findings.take(missing.problems)
        checked = check_configuration(source, filled, path, findings)
        if not partial:
            self.sources[key] = Source(type=kind, configuration=checked)
        return True

    def of_step(self, fields: Fields, number: int) -> tuple[str | None, Path]:
        """Return the key of the step's source in `Flow.sources` and where its configuration is written."""
        path = (*fields.path, "source")
        value = fields.raw("source")
        if value is None:
            self._findings.add("missing-key", fields.path, "a step needs a 'source'", hint=self._kinds())
            return None, path
        if isinstance(value, str):
            return self._named(value, path)
        if not isinstance(value, dict):
            quotes = None if isinstance(value, (list, tuple)) else "put it in quotes"
            fields.refuse("source", f"'source' must be a name or a mapping, not {type_name(value)}", hint=quotes)
            return None, path
        key = f"flow[{number}].source"
        while key in self.declared:
            key += "'"
        if "base" in value or "override" in value:
            return (key if self._keep_overridden(key, value, path) else None), (*path, "override")
        kind, configuration = self._parts(value, path, self._findings)
        return (key if kind is not None and self._keep(key, kind, configuration, path, self._findings) else None), path

    def _named(self, name: str, path: Path) -> tuple[str | None, Path]:
        if name in self.declared:
            return (name if name in self.sources else None), ("sources", name)
        if name in self._catalog:
            if name not in self.sources:
                self._keep(name, name, {}, path, self._findings)
            return name, path
        if name not in self._given:
            known = [*self.declared, *self._catalog]
            message = f"no source and no source type is called '{name}'"
            hint = did_you_mean(name, known) or self._kinds()
            self._findings.add("unknown-source", path, message, hint=hint)
        return None, path

    def varying(self) -> Mapping[str, str]:
        """Return the declared sources that other expressions cannot read, for their own configuration has some.

        Sources whose values go round in a circle are refused, and left out.
        """
        reads: dict[str, tuple[Reference, ...]] = {}
        for name, (kind, configuration) in self.declared.items():
            if kind in self._catalog and self._catalog[kind].values:
                reads[name] = tuple(check_template(configuration)[0])
        needs = {
            name: [each.names[0] for each in found if each.root == "sources" and each.names]
            for name, found in reads.items()
        }
        for cycle in find_cycles(needs):
            alone = cycle[0] == cycle[1]
            message = f"the {'source reads itself' if alone else 'sources read each other'}: {walked(cycle)}"
            self._findings.add("cycle", ("sources", cycle[0], "configuration"), message)
            for name in cycle[:-1]:
                del reads[name]
        return {name: written(found[0]) for name, found in reads.items() if found}

    def _keep_overridden(self, key: str, value: Mapping[str, Json], path: Path) -> bool:
        """Keep under *key* what the override *value* makes of a declared source; return whether its type is known."""
        fields = Fields(value, path, self._findings, _OVERRIDE_KEYS)
        base = fields.text("base")
        over = fields.mapping("override")
        if base is None:
            if fields.raw("base") is None:
                self._findings.add("missing-key", path, "'override' needs a 'base': the source to start from")
            return False
        if base not in self.declared:
            if base not in self._given:
                message = f"no source is called '{base}'"
                hint = did_you_mean(base, self.declared)
                if base in self._catalog:
                    message += "; it is a type"
                    hint = f"write `{{type: {base}, configuration: {{...}}}}`"
                fields.refuse("base", message, code="unknown-source", hint=hint)
            return False
        kind, configuration = self.declared[base]
        merged = merge_source({"type": kind, "configuration": configuration}, over)
        path = (*path, "override")
        found = Findings()
        parts = self._parts(merged, path, found)
        usable = parts[0] is not None and self._keep(key, parts[0], parts[1], path, found)
        for problem in found.problems:
            rest = problem.path[len(path) :]
            if _holds(over, rest) or (problem.code, ("sources", base, *rest)) not in self._faulty:
                self._findings.take([problem])
        return usable

    def steps_used(self, key: str, path: Path, names: Names, *, each: bool) -> tuple[str, ...]:
        """Return the steps that a source's configuration refers to; a shared source is looked at once."""
        known = self._checked.get((key, each))
        if known is not None:
            return known
        source = self.sources[key]
        kind = self._catalog[source.type]
        check_joined(kind, source.configuration, (*path, "configuration"), self._findings)
        roots: Sequence[str] = roots_of(each=each)
        if kind.template_when is not None:
            name, word = kind.template_when
            if source.configuration.get(name) == word:
                roots = (*roots, *kind.payload_names)
        found = tuple(
            check_expressions(source.configuration, (*path, "configuration"), self._findings, names, roots=roots)
        )
        read, _ = (
            check_template(source.configuration) if kind.values and source.configuration.get("secret") else ((), ())
        )
        if read:
            message = f"a secret must be known before the run starts, and this source reads `{written(read[0])}`"
            hint = "take `secret` away, or name the variables themselves"
            self._findings.add("secret-from-step", (*path, "configuration"), message, hint=hint)
        self._checked[key, each] = found
        return found


def _only_bases(rows: Json) -> Collection[str]:
    """Return the names that steps override and none uses as it is."""
    given = [row.get("source") for row in rows if isinstance(row, dict)] if isinstance(rows, (list, tuple)) else []
    bases = {base for each in given if isinstance(each, dict) and isinstance(base := each.get("base"), str)}
    return bases.difference(each for each in given if isinstance(each, str))


def _holds(over: Json, path: Path) -> bool:
    """Return whether an override says what stands at *path*: if not, its base does."""
    for part in path:
        if not isinstance(over, Mapping):
            break
        if part not in over:
            return False
        over = over[str(part)]
    return True
