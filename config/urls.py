"""Addresses of every page. Each app lists its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("sessions_app.urls")),
    path("", include("reviews_app.urls")),
]
