"""Signing in: by password, and by a one-time link that an administrator's terminal printed."""

from __future__ import annotations

import hashlib

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions_app.forms import SignInForm
from sessions_app.models import SignInLink

BACKEND = "django.contrib.auth.backends.ModelBackend"


class PlainWords(SignInForm):
    error_messages = {
        "invalid_login": "User name and password do not match. Both tell capitals apart.",
        "inactive": "This account is switched off. Ask whoever runs this server.",
    }


class SignIn(LoginView):
    template_name = "account/sign_in.html"
    authentication_form = PlainWords
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """A look at the page spends nothing (a mail scanner may look); the button uses the link up."""
    link = _usable(secret)
    if link is None:
        return render(request, "account/link_gone.html", status=410)
    if request.method != "POST":
        return render(request, "account/link.html", {"link": link})
    if not SignInLink.objects.filter(pk=link.pk, used__isnull=True).update(used=timezone.now()):
        return render(request, "account/link_gone.html", status=410)
    login(request, link.user, backend=BACKEND)
    return redirect("home")


def _usable(secret: str) -> SignInLink | None:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    links = SignInLink.objects.select_related("user").filter(digest=digest, used__isnull=True)
    return links.filter(expires__gt=timezone.now(), user__is_active=True).first()
