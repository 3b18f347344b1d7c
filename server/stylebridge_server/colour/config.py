"""OpenColorIO configs: opened, and asked for colour spaces by the names that people type.

The space between all others here is linear Rec.709, scene-linear, white at 1: what the shaper takes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PyOpenColorIO

from stylebridge.configs import BUILT_IN
from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import nearest
from stylebridge_server.colour.archive import Archive

#: The configs that are asked where none is named: the second has the spaces of cameras too.
USUAL = (f"{BUILT_IN}cg-config-latest", f"{BUILT_IN}studio-config-latest")

#: What compositors type, and the alias that the ACES configs know it by.
SHORT = {
    "linear": "lin_rec709",
    "rec709linear": "lin_rec709",
    "linrec709": "lin_rec709",
    "linsrgb": "lin_rec709",
    "rec2020linear": "lin_rec2020",
    "p3linear": "lin_p3d65",
    "rec709": "g24_rec709",
    "logc": "arri_logc3_ei800",
    "logc3": "arri_logc3_ei800",
    "arrilogc": "arri_logc3_ei800",
    "arrilogc3": "arri_logc3_ei800",
    "alexalogc": "arri_logc3_ei800",
    "alexav3logc": "arri_logc3_ei800",
    "logc4": "arri_logc4",
    "slog3": "slog3_sgamut3",
    "slog3cine": "slog3_sgamut3cine",
    "vlog": "vlog_vgamut",
    "log3g10": "log3g10_redwidegamutrgb",
    "redlog3g10": "log3g10_redwidegamutrgb",
    "canonlog2": "canonlog2_cinemagamut_d55",
    "canonlog3": "canonlog3_cinemagamut_d55",
    "davinciintermediate": "davinci_intermediate_widegamut",
    "bmdfilm": "bmdfilm_widegamut_gen5",
    "dlog": "dlog_dgamut",
    "applelog": "apple_log",
    "adx": "ADX10",
}
#: Linear Rec.709 by the names that configs have for it.
_LINEAR = (
    "lin_rec709",
    "lin_rec709_srgb",
    "lin_srgb",
    "Linear Rec.709 (sRGB)",
    "scene-linear Rec.709-sRGB",
    "Utility - Linear - sRGB",
    "Utility - Linear - Rec.709",
)
# Nothing is approximated: what is not styled must come back as it was.
_EXACT = (PyOpenColorIO.BIT_DEPTH_F32, PyOpenColorIO.BIT_DEPTH_F32, PyOpenColorIO.OPTIMIZATION_LOSSLESS)


class Config:
    """One config.

    Args:
        opened: OpenColorIO's.
        name: what sentences call it.
        identity: names its contents, tables included.
        tables: what it reads them through, to be kept as long.
    """

    def __init__(self, opened: Any, name: str, identity: str, tables: object = None) -> None:
        self._config, self.name, self.id, self._tables = opened, name, identity, tables
        # What the config may say with variables is what it says itself, not what this process was started with.
        context = opened.getCurrentContext()
        context.clearStringVars()
        for variable in opened.getEnvironmentVarNames():
            context[variable] = opened.getEnvironmentVarDefault(variable)

    @classmethod
    def built_in(cls, name: str) -> Config:
        """One that OpenColorIO has in itself, "ocio://NAME".

        Raises:
            StylebridgeError: bad_value, with a suggestion.
        """
        known = [f"{BUILT_IN}{one[0]}" for one in PyOpenColorIO.BuiltinConfigRegistry().getBuiltinConfigs()]
        known += [f"{BUILT_IN}{kind}-config-latest" for kind in ("cg", "studio")] + [f"{BUILT_IN}default"]
        if name not in known:
            near = nearest(name, known) or USUAL[0]
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"OpenColorIO {PyOpenColorIO.GetVersion()} has no built-in config {name!r}: did you mean {near!r}?",
            )
        resolved = PyOpenColorIO.ResolveConfigPath(name)
        return cls(PyOpenColorIO.Config.CreateFromFile(resolved), name, resolved)

    @classmethod
    def sent(cls, path: Path, name: str) -> Config:
        """One that a client sent: an archive, or a config.ocio alone.

        Args:
            path: where it is here.
            name: what the client calls it.

        Raises:
            StylebridgeError: bad_value, too_large.
        """
        archive = Archive(path, name)
        try:
            opened, tables = archive.config()
            opened.validate()
        except StylebridgeError:
            raise
        except Exception as error:  # OpenColorIO's own, and what Python makes of others
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The OpenColorIO config {name} is broken: {_line(error)}. Check it with ociocheck.",
            ) from None
        return cls(opened, name, archive.id, tables)

    def find(self, name: str) -> str | None:
        """The space's own name, for a name, an alias, a role, or what `SHORT` makes of it; None for none.

        Case, blanks and punctuation do not count where nothing else answers.
        """
        short = SHORT.get(_squashed(name))
        for word in (name, short):
            space = self._config.getColorSpace(word) if word else None
            if space is not None:
                return str(space.getName())
        wanted = _squashed(name)
        for word in self.names():
            if wanted and _squashed(word) == wanted:
                return str(self._config.getColorSpace(word).getName())
        return None

    def names(self) -> Iterator[str]:
        """All names, aliases and roles that are known."""
        for space in self._config.getColorSpaces(
            PyOpenColorIO.SEARCH_REFERENCE_SPACE_ALL, PyOpenColorIO.COLORSPACE_ALL
        ):
            yield space.getName()
            yield from space.getAliases()
        yield from self._config.getRoleNames()

    def trip(self, space: str) -> tuple[Any, Any]:
        """OpenColorIO's processors for float32 pixels from a space to linear Rec.709 and back; None where the space is
        that.

        Raises:
            StylebridgeError: bad_value for a space of data, and where a table is missing or cannot be undone.
        """
        if self._config.getColorSpace(space).isData():
            raise StylebridgeError(
                Code.BAD_VALUE,
                f'The space "{space}" of the config {self.name} holds data and no colours: name the space that the '
                "pixels were rendered in.",
            )
        try:
            there, back = self._ways(space)
            if there.isNoOp() and back.isNoOp():
                return None, None
            return there.getOptimizedCPUProcessor(*_EXACT), back.getOptimizedCPUProcessor(*_EXACT)
        except StylebridgeError:
            raise
        except Exception as error:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f'The space "{space}" of the config {self.name} cannot be worked in: {_line(error)}.',
            ) from None

    def _ways(self, space: str) -> tuple[Any, Any]:
        config = self._config
        linear = next((name for name in _LINEAR if config.getColorSpace(name) is not None), None)
        if linear is None and config.hasRole(PyOpenColorIO.ROLE_INTERCHANGE_SCENE):
            aces = PyOpenColorIO.Config.CreateFromFile(USUAL[0])
            between = PyOpenColorIO.Config.GetProcessorFromConfigs
            return between(config, space, aces, _LINEAR[0]), between(aces, _LINEAR[0], config, space)
        # An old config that does not say where its primaries are: its own working space serves, since the networks
        # only look at it.
        linear = linear or PyOpenColorIO.ROLE_SCENE_LINEAR
        if config.getColorSpace(linear) is None:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The OpenColorIO config {self.name} names no linear space: give it the role scene_linear, or "
                "aces_interchange.",
            )
        return config.getProcessor(space, linear), config.getProcessor(linear, space)


def find(name: str, configs: tuple[Config, ...]) -> tuple[Config, str]:
    """The first config that has a space of that name, and the space's own name.

    Raises:
        StylebridgeError: bad_value, with near names.
    """
    for config in configs:
        found = config.find(name)
        if found is not None:
            return config, found
    known = {word.lower(): word for config in reversed(configs) for word in ("srgb", *SHORT, *config.names())}
    near = [known[word] for word in difflib.get_close_matches(name[:60].lower(), known, n=3)]
    where = configs[0].name if len(configs) == 1 else "OpenColorIO's ACES configs"
    hint = "name one of its spaces, aliases or roles, or another config with --config."
    if near:
        hint = f"did you mean {' or '.join(repr(word) for word in near)}?"
    raise StylebridgeError(
        Code.BAD_VALUE,
        f"There is no colour space {name[:60]!r} in {where}: {hint}",
    )


def _squashed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _line(error: Exception) -> str:
    """OpenColorIO's words on one line, without their full stop."""
    text = " ".join(str(error).split())
    return (text if len(text) <= 300 else f"{text[:300]}...").rstrip(". ")
