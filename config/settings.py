"""One settings file. Everything that differs between machines comes from CODEFLASH_* variables."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

from config import limits

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("CODEFLASH_DATA_DIR", BASE_DIR / "var"))


def secret_key() -> str:
    """The key in DATA_DIR, made on first use with mode 0600. A parallel first run reads the winner's key."""
    path = DATA_DIR / "secret.key"
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(50))
    return path.read_text(encoding="ascii").strip()


SECRET_KEY = secret_key()
DEBUG = os.environ.get("CODEFLASH_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("CODEFLASH_HOSTS", "127.0.0.1,localhost").split(",")
PUBLIC = os.environ.get("CODEFLASH_PUBLIC") == "1"

ENGINE_COMMAND = shlex.split(os.environ.get("CODEFLASH_ENGINE_COMMAND", "")) or [
    sys.executable,
    "-m",
    "engine",
    "run",
]
"""What a worker starts for a session; the path of the brief is added at the end."""
SAMPLE_DIR = BASE_DIR / "examples"
# Folders repositories may be registered from. Empty: any folder of this machine, or none but the sample's in public.
ALLOWED_ROOTS = [r for r in os.environ.get("CODEFLASH_ROOTS", "").split(os.pathsep) if r]
if PUBLIC or ALLOWED_ROOTS:
    ALLOWED_ROOTS.append(str(DATA_DIR / "sample"))

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "channels",
    "django_htmx",
    "csp",
    "axes",
    "sessions_app",
    "reviews_app",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.middleware.DatabaseAway",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "sessions_app.shell.shell",
            ],
        },
    },
]

SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE: a transaction that reads and then writes never meets an instant "database is locked".
    "transaction_mode": "IMMEDIATE",
    "timeout": int(os.environ.get("CODEFLASH_SQLITE_SECONDS", "20")),
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("CODEFLASH_SQLITE") or DATA_DIR / "db.sqlite3",
        "OPTIONS": SQLITE_OPTIONS,
        "TEST": {"NAME": os.environ.get("CODEFLASH_TEST_DB")},
    }
}
if os.environ.get("CODEFLASH_POSTGRES"):
    # host|user|name|port, so that no address parser is needed; the password comes from PGPASSWORD or a pgpass file.
    _host, _user, _name, _port = [*os.environ["CODEFLASH_POSTGRES"].split("|"), "", "", ""][:4]
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _host,
        "USER": _user,
        "NAME": _name,
        "PORT": _port,
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "CONN_HEALTH_CHECKS": True,
    }

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 1
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_VERBOSE = False

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
# Cookies ignore ports: two instances on one loopback address must not sign each other out.
SESSION_COOKIE_NAME = f"codeflash_{os.environ.get('CODEFLASH_PORT', '8000')}"
CSRF_COOKIE_NAME = f"{SESSION_COOKIE_NAME}_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if PUBLIC:
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_NAME = "__Host-codeflash"
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("CODEFLASH_ORIGINS", "").split(",") if o]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

LANGUAGE_CODE = "en-us"
# The pages speak one language; with translation on, every printed number asks which one it is.
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
# Static files come straight from the checkout; a collected folder is for a proxy in front.
warnings.filterwarnings("ignore", message="No directory at", module="django.core.handlers.base")
# WhiteNoise reads files of a few kilobytes in one go; Django warns of that once and it would stand below our address.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must", module="django.core.handlers.asgi")
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LIMITS: Any = limits
"""Every limit: apps read settings.LIMITS, never config."""
SILENCED_SYSTEM_CHECKS: list[str] = []

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"codeflash": {"level": "INFO"}},
}
