"""Addresses of what waits on a person: the home page, the inbox, one review and its decision."""

from __future__ import annotations

from django.urls import path

from reviews_app.views import changes, home, inbox, review

urlpatterns = [
    path("", home.home, name="home"),
    path("reviews/", inbox.inbox, name="reviews"),
    path("sessions/<int:session_pk>/review/", review.detail, name="review"),
    path("sessions/<int:session_pk>/review/changes/", changes.panel, name="review-changes"),
    path("sessions/<int:session_pk>/review/decide/", review.decide, name="decide"),
    path("sessions/<int:session_pk>/review/bring-home/", review.bring_home, name="bring-home"),
]
