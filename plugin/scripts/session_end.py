"""SessionEnd hook: ends the session's background jobs with all they started, and finalises its record."""

import companion_hook as hook
import companion_process as process
import companion_store as store


def end(data):
    kept = store.open_store(hook.folder_of(data))
    session = data.get("session_id")
    mine = [job for job in kept.read()["jobs"] if job.get("sessionId") == session and job.get("status") not in store.ENDED]
    try:
        if mine:
            kept.change(lambda state: cancel(state, {job["id"] for job in mine}), wait=0.3)
    finally:
        for job in mine:
            process.end(job.get("pid"), job.get("pidStarted"), patience=0.15)
    path = kept.session_file(session or "unknown")
    record = {"sessionId": session, "workspaceRoot": str(kept.workspace), **store.read_json(path)}
    jobs = [job["id"] for job in mine]
    store.write_json(
        path,
        {**record, "status": "ended", "endedAt": store.now(), "endReason": data.get("reason"), "cancelledJobs": jobs},
    )


def cancel(state, names):
    at = store.now()
    for job in state["jobs"]:
        if job["id"] in names and job.get("status") not in store.ENDED:
            job.update(status="cancelled", phase="cancelled", completedAt=at, updatedAt=at, errorMessage="the session ended")


if __name__ == "__main__":
    hook.run("SessionEnd", end)
