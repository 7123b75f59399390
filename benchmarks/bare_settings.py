"""The product's database and nothing else: no middleware, no sign-in. Only ``benchmarks.pages`` uses it."""

from __future__ import annotations

from config.settings import *  # noqa: F403

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.bare"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
LOGGING_CONFIG = None
