-- Actions on a ModelProvider. The built-in generator has no server of which something could be forgotten.

local spec = obj.spec or {}

return {
  reset = {
    disabled = spec.type ~= "OpenAI",
    displayName = "Forget what was found out",
    iconClass = "fa fa-fw fa-undo",
  },
  retry = {
    displayName = "Reconcile now",
    iconClass = "fa fa-fw fa-sync",
  },
}
