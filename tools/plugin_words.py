"""The words that Claude Code knows in plugins: frontmatter keys, tools, hook events. State of version 2.1.330."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLUGIN_NAME = "codeflash-agent"
COLORS = words("red blue green yellow purple orange pink cyan")
AGENT_KEYS = words(
    """name description model tools disallowedTools color effort maxTurns autoCompactWindow skills memory background
    omitClaudeMd isolation experimental"""
)
IGNORED_KEYS = words(
    "permissionMode hooks mcpServers initialPrompt observer observerMessage observeSubagents"
)
"""Keys of agents that count in a person's own files and are ignored in those of a plugin."""
COMMAND_KEYS = words(
    """name description model allowed-tools disallowed-tools argument-hint disable-model-invocation user-invocable
    effort shell metadata version license author"""
)
SKILL_KEYS = COMMAND_KEYS | words("when_to_use paths hooks context agent background")
TOOLS = words(
    """Agent AskUserQuestion Bash Edit Read Write Glob Grep LSP Monitor NotebookEdit SendMessage Skill TaskCreate
    TaskGet TaskList TaskStop TaskUpdate TodoWrite ToolSearch WebFetch WebSearch EnterWorktree ExitWorktree
    EnterPlanMode ExitPlanMode ReportFindings PushNotification"""
)
REMOVED_TOOLS = words("TeamCreate TeamDelete TaskOutput AgentOutputTool BashOutputTool BashOutput Task")
HOOK_EVENTS = words(
    """PreToolUse PostToolUse PostToolUseFailure PostToolBatch Notification UserPromptSubmit UserPromptExpansion
    SessionStart SessionEnd Stop StopFailure SubagentStart SubagentStop PreCompact PostCompact PreModelSwitch
    PostModelSwitch PermissionRequest PermissionDenied Setup TeammateIdle TaskCreated TaskCompleted Elicitation
    ElicitationResult ConfigChange WorktreeCreate WorktreeRemove InstructionsLoaded CwdChanged FileChanged
    DirectoryAdded MessageDisplay"""
)
SEEN_STATUSES = words(
    "queued preparing running paused stopping waiting finished failed cancelled interrupted completed"
)
"""What people see of sessions and of background jobs."""
