-- Actions on a WorkflowPrompt. One that would change nothing is disabled.

local annotations = obj.metadata.annotations or {}
local status = obj.status or {}
local suspended = obj.spec.suspend == true
local proposed = (status.proposal or {}).digest

return {
  approve = {
    disabled = status.stage ~= "WaitingForApproval" or proposed == nil or annotations["weirkeeper.dev/approved-digest"] == proposed,
    displayName = "Approve the proposal",
    iconClass = "fa fa-fw fa-check",
    params = { { name = "digest", default = proposed } },
  },
  reset = {
    disabled = status.stage ~= "Failed",
    displayName = "Generate again",
    iconClass = "fa fa-fw fa-undo",
  },
  retry = {
    disabled = suspended,
    displayName = "Reconcile now",
    iconClass = "fa fa-fw fa-sync",
  },
  suspend = {
    disabled = suspended,
    iconClass = "fa fa-fw fa-pause",
  },
  resume = {
    disabled = not suspended,
    iconClass = "fa fa-fw fa-play",
  },
}
