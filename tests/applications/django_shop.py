"""A Django site with a login, a database and a view that fails."""

from __future__ import annotations

import sys

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

django.setup()

from django.contrib.auth import authenticate, login  # noqa: E402 - Django's models need its settings
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.shortcuts import get_object_or_404, redirect  # noqa: E402


def home(_: HttpRequest) -> HttpResponse:
    """Count the users."""
    return HttpResponse(f"<p>{User.objects.count()} customers</p>")


def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign a user in."""
    user = authenticate(request, username=request.POST["name"], password=request.POST["word"])
    if user is None:
        return HttpResponse("<p>wrong</p>", status=403)
    login(request, user)
    return redirect("/account/")


@login_required  # type: ignore[untyped-decorator]  # Django has no types
def account(request: HttpRequest) -> HttpResponse:
    """Show the user that is signed in."""
    return HttpResponse(f"<p>{request.user}</p>")


def customer(_: HttpRequest, key: int) -> HttpResponse:
    """Show a user, or 404."""
    return HttpResponse(f"<p>{get_object_or_404(User, pk=key)}</p>")


def archive(_: HttpRequest, year: str) -> HttpResponse:
    """Show a year."""
    return HttpResponse(f"<p>{year}</p>")


def broken(_: HttpRequest) -> HttpResponse:
    """Fail."""
    totals: dict[str, int] = {}
    return HttpResponse(totals["total"])


urlpatterns = [
    path("", home),
    path("login/", sign_in),
    path("account/", account),
    path("customers/<int:key>/", customer),
    re_path(r"^archive/(?P<year>[0-9]{4})/$", archive),
    path("broken/", broken),
    path("healthz", lambda _: HttpResponse("ok")),
]

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    call_command("migrate", verbosity=0)
    User.objects.create_user("ada", password="engine")

application = get_wsgi_application()
