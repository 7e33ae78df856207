-- Actions on a Workflow. One that would change nothing is disabled.

local annotations = obj.metadata.annotations or {}
local status = obj.status or {}
local pinned = annotations["weirkeeper.dev/pinned-version"]
local suspended = obj.spec.suspend == true

local failed = false
for _, condition in ipairs(status.conditions or {}) do
  if (condition.type == "Stalled" or condition.type == "RolledBack") and condition.status == "True" then
    failed = true
  end
end

local version = nil
if status.activeVersion ~= nil then
  version = tostring(status.activeVersion)
end

return {
  reset = {
    disabled = not failed,
    displayName = "Try a failed version again",
    iconClass = "fa fa-fw fa-undo",
  },
  retry = {
    disabled = suspended,
    displayName = "Reconcile now",
    iconClass = "fa fa-fw fa-sync",
  },
  pin = {
    disabled = version == nil,
    displayName = "Pin a version",
    iconClass = "fa fa-fw fa-thumbtack",
    params = { { name = "version", default = version } },
  },
  unpin = {
    disabled = pinned == nil,
    displayName = "Publish the version in the spec again",
    iconClass = "fa fa-fw fa-play-circle",
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
