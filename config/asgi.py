"""Pages and sockets behind the body limit, and the reaper, served by ``gunicorn -k asgi config.asgi:application``."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import limits
from config.pages import pages

http = pages(limits.PAGE_THREADS)  # loads the apps; what follows needs them

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from config.guards import BodyLimit, SameOrigin  # noqa: E402
from sessions_app.consumers import SessionConsumer  # noqa: E402
from sessions_app.queue_reaping import Reaping  # noqa: E402

sockets = URLRouter([path("ws/sessions/<int:pk>/", SessionConsumer.as_asgi())])
application = Reaping(
    BodyLimit(
        ProtocolTypeRouter({"http": http, "websocket": SameOrigin(AuthMiddlewareStack(sockets))}),
        limit=settings.LIMITS.BODY_BYTES,
    )
)
