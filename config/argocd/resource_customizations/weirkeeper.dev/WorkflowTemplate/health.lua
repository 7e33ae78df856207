-- Health of every kind of weirkeeper.dev, from the conditions that kstatus reads too: docs/argocd.md. Generated copies of this file are in the
-- folders of the other kinds.

local function health(status, message)
  return { status = status, message = message }
end

local metadata = obj.metadata or {}
local spec = obj.spec or {}
local status = obj.status or {}

if metadata.deletionTimestamp ~= nil then
  local message = "Being deleted"
  if metadata.finalizers ~= nil and #metadata.finalizers > 0 then
    message = message .. "; finalizers: " .. table.concat(metadata.finalizers, ", ")
  end
  return health("Progressing", message)
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(kind, wanted)
  return conditions[kind] ~= nil and conditions[kind].status == wanted
end

local function message_of(kind)
  local condition = conditions[kind]
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.reason .. ": " .. condition.message
end

if spec.suspend == true then
  return health("Suspended", "spec.suspend is true: nothing is read from or written to n8n")
end

if status.observedGeneration ~= metadata.generation or conditions.Ready == nil then
  return health("Progressing", "The operator has not reconciled this generation yet")
end

if is("Stalled", "True") then
  return health("Degraded", message_of("Stalled"))
end

if not is("Ready", "True") then
  return health("Progressing", message_of("Ready"))
end

-- What people should know of a resource that is as its spec asks.
local message = conditions.Ready.message or ""
for _, kind in ipairs({ "Drifted", "Exceeded", "KeyExpiring" }) do
  if is(kind, "True") then
    message = message .. "; " .. message_of(kind)
  end
end
if conditions.Healthy ~= nil and conditions.Healthy.reason == "Baking" then
  message = message .. "; " .. message_of("Healthy")
end
return health("Healthy", message)
