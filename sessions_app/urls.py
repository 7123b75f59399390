"""Addresses of repos, sessions, experiments, learnings and accounts."""

from __future__ import annotations

from django.urls import path

from sessions_app.views import (
    account,
    experiments,
    exports,
    jump,
    learnings,
    live,
    misc,
    repos,
    session_list,
    steering,
)

urlpatterns = [
    path("sign-in/", account.SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:secret>/", account.sign_in_link, name="sign-in-link"),
    path("sign-out/", account.SignOut.as_view(), name="sign-out"),
    path("repos/", repos.repo_list, name="repos"),
    path("repos/new/", repos.new, name="repo-new"),
    path("repos/<int:pk>/", repos.detail, name="repo"),
    path("sessions/", session_list.session_list, name="session-list"),
    path("sessions/export.<str:fmt>", exports.session_rows, name="session-list-export"),
    path("sessions/launch/", steering.launch, name="session-launch"),
    path("sessions/launch/checks/", steering.checks, name="session-checks"),
    path("sessions/compare/", session_list.compare, name="session-compare"),
    path("sessions/<int:pk>/", live.session, name="session"),
    path("sessions/<int:pk>/cancel/", steering.cancel, name="session-cancel"),
    path("sessions/<int:pk>/resume/", steering.resume, name="session-resume"),
    path("sessions/<int:pk>/events/", live.events, name="session-events"),
    path("sessions/<int:pk>/panel/<slug:name>/", live.panel, name="session-panel"),
    path("sessions/<int:pk>/export.<str:fmt>", exports.experiments, name="session-export"),
    path("sessions/<int:session_pk>/files/<str:name>/", exports.state_file, name="state-file"),
    path("sessions/<int:session_pk>/experiments/<int:number>/", experiments.detail, name="experiment"),
    path("learnings/", learnings.search, name="learnings"),
    path("learnings/<int:pk>/state/", learnings.set_state, name="learning-state"),
    path("jump/", jump.jump, name="jump"),
    path("workers/", misc.workers, name="workers"),
    path("more/", misc.more, name="more"),
    path("patterns/", misc.patterns, name="patterns"),
]
