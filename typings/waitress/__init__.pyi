from typing import Unpack

from _typeshed.wsgi import WSGIApplication

from .adjustments import Options
from .server import create_server as create_server

def serve(app: WSGIApplication, **kw: Unpack[Options]) -> None: ...
