"""Django's settings, secure as they come. Dotted strings stand here, in urls.py and in tower/ only.

Reading this module opens no file: wsgi.make_application reads the secret key and checks the rest.
"""

from __future__ import annotations

import os
from typing import Final

from kulla.portal.configuration import read_configuration

KULLA: Final = read_configuration(os.environ)

DEBUG = False
ALLOWED_HOSTS = list(KULLA.hosts)
ROOT_URLCONF = "kulla.portal.urls"
APPEND_SLASH = False
INSTALLED_APPS = [
    "kulla.portal",
    "kulla.services.accounts",
    "kulla.services.citizens",
    "kulla.services.messages",
    "kulla.services.appointments",
    "kulla.services.enrolment",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Headers first, so that errors have them too. Doors last: behind the CSRF check, in front of pages.
MIDDLEWARE = [
    "kulla.portal.middleware.security_headers",
    "kulla.portal.middleware.language",
    "kulla.portal.crowding.shed",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "kulla.portal.middleware.tower",
    "django.middleware.csrf.CsrfViewMiddleware",
    "kulla.portal.doors.DoorsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "kulla.portal.words"],
            "context_processors": ["kulla.portal.context.every_page"],
        },
    }
]

# Registers are opened for reading only: by the connection, and by the router before it.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"file:{KULLA.registers or '/nonexistent/registers'}?mode=ro",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": 10, "init_command": "PRAGMA query_only=1"},
    },
    "sessions": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(KULLA.sessions or "/nonexistent/sessions"),
        "CONN_MAX_AGE": None,
        # A session may be lost (the person signs in again), so no fsync stands in anyone's way.
        "OPTIONS": {
            "timeout": 10,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    },
}
DATABASE_ROUTERS = ["kulla.portal.databases.ReadOnlyRegisters"]

SESSION_ENGINE = "kulla.portal.sessions"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_NAME = "__Host-kulla" if KULLA.tls else "kulla"
SESSION_COOKIE_SECURE = KULLA.tls
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would sign people out who come by a link in a mail.

CSRF_COOKIE_NAME = "__Host-kulla-form" if KULLA.tls else "kulla-form"
CSRF_COOKIE_SECURE = KULLA.tls
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "kulla.portal.errors.form_not_ours"

LANGUAGE_COOKIE_NAME = "kulla-language"
LANGUAGE_CODE = "sq"
LANGUAGES = [("sq", "Shqip"), ("en", "English")]
LOCALE_PATHS = [KULLA.run_folder / "locale"] if KULLA.run_folder else []
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Tirane"

# No page takes more than a receipt (at most 65,535 bytes of entry, in base64, and its proof).
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Pages that take files take those of 4 MiB (portal/middleware.py): in memory, never on the disk.
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024 + 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 250  # closing a day has a field for each of its people
DATA_UPLOAD_MAX_NUMBER_FILES = 1
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# wsgi.make_application says who logs what.
LOGGING_CONFIG = None
