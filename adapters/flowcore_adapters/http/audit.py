"""Knowing whose call is being answered, for `flowcore_adapters.audited_log`."""

import logging
from collections.abc import Mapping
from typing import Final

import falcon

from flowcore.audit import Credential
from flowcore_adapters.audited_log import CURRENT, Call

from .routing import Scope

_LOG: Final = logging.getLogger("flowcore.http")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Auditor:
    """Middleware: knows whose call this thread is answering."""

    def __init__(self, scopes: Mapping[str, Scope], *, token: bool) -> None:
        """Tell what was shown from the *scopes* of the paths, and from whether the guard asks for a *token*."""
        self._scopes = scopes
        self._shown = Credential.TOKEN if token else Credential.NONE

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,  # noqa: ARG002 - falcon's signature
        resource: object,  # noqa: ARG002
        params: Mapping[str, object],  # noqa: ARG002
    ) -> None:
        """Begin with a call that may change something."""
        route = req.uri_template
        if req.method in _SAFE or route is None:
            return
        signed = self._scopes.get(route) is Scope.SIGNED
        shown = Credential.SIGNED_URL if signed else self._shown
        CURRENT.set(Call(req.remote_addr if "REMOTE_ADDR" in req.env else "", shown, req.method, route))

    def process_response(
        self,
        req: falcon.Request,  # noqa: ARG002 - falcon's signature
        resp: falcon.Response,
        resource: object,  # noqa: ARG002
        req_succeeded: bool,  # noqa: FBT001
    ) -> None:
        """The call is answered."""
        call = CURRENT.get()
        if call is None:
            return
        CURRENT.set(None)
        if req_succeeded and resp.status_code < falcon.http_status_to_code(falcon.HTTP_300) and not call.recorded:
            _LOG.info("%s: no run was changed", call)
