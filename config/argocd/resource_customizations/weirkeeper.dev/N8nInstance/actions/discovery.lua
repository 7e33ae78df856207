-- Actions on an N8nInstance. One that would change nothing is disabled.

local stalled = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    stalled = true
  end
end

return {
  reset = {
    disabled = not stalled,
    displayName = "Accept this n8n",
    iconClass = "fa fa-fw fa-undo",
  },
  retry = {
    displayName = "Reconcile now",
    iconClass = "fa fa-fw fa-sync",
  },
}
